"""A new project works at once, and `loopy doctor` says what a run with real agents still needs."""

import json
import subprocess
from pathlib import Path

from tests.support.command_line import loopy
from tests.support.shop import write_shop


def test_a_new_project_compiles_without_a_warning_and_rehearses(tmp_path: Path) -> None:
    made = loopy("init", "demo", cwd=tmp_path)
    assert made.returncode == 0
    demo = tmp_path / "demo"
    compiled = loopy("compile", "--strict", cwd=demo)
    assert (compiled.returncode, compiled.stdout.splitlines()[-1]) == (0, "✓ 1 workflow · 2 steps · 1 event — graph ok")
    *_, compile_hint, run_hint = made.stdout.splitlines()
    assert compile_hint.strip() == "loopy compile"
    rehearsed = loopy(*run_hint.split()[1:], "--port", "0", "--once", cwd=demo)
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert "answer/review" in rehearsed.stdout
    assert (demo / ".gitignore").read_text().splitlines()[1] == ".loopy/"


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "registry.yml").write_text("mine")
    refused = loopy("init", ".", cwd=tmp_path)
    assert refused.returncode == 2
    assert "registry.yml exists already; nothing was written" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["registry.yml"]


def test_init_into_a_repository_keeps_its_gitignore(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    made = loopy("init", ".", cwd=tmp_path)
    assert made.returncode == 0
    assert "kept your .gitignore" in made.stdout
    assert (tmp_path / ".gitignore").read_text() == "mine\n"


def test_init_in_a_files_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").touch()
    assert "demo is a file" in loopy("init", "demo", cwd=tmp_path).stderr


def findings(project: Path, *, env: dict[str, str] | None = None) -> dict[str, str]:
    """State by what was found."""
    return {each["what"]: each["state"] for each in json.loads(loopy("doctor", project, "--json", env=env).stdout)}


def test_a_project_that_can_be_run_is_ready(tmp_path: Path) -> None:
    done = loopy("doctor", write_shop(tmp_path / "shop"), env={"LOOPY_PORT": "0"})
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "✓ ready to run"


def test_what_is_missing_is_said_with_what_to_do(tmp_path: Path) -> None:
    assert loopy("init", "demo", cwd=tmp_path).returncode == 0
    done = loopy("doctor", "demo", cwd=tmp_path)
    assert done.returncode == 1
    assert "✗ runtime `claude-code` is not installed, which agents `Editor`, `Writer` would run in" in done.stdout


def test_a_secret_that_git_knows_is_pointed_out(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "shop")
    registry = json.loads((shop / "registry.yml").read_text())
    registry["sandboxes"]["here"]["env_file"] = ["secrets/a.env", "secrets/b.env", "secrets/c.env"]
    (shop / "registry.yml").write_text(json.dumps(registry))
    (shop / "secrets").mkdir()
    for name in ("a", "b"):
        (shop / "secrets" / f"{name}.env").write_text("KEY=value\n")
    subprocess.run(["git", "init", "-q"], cwd=shop, check=True)
    subprocess.run(["git", "add", "-f", "secrets/b.env"], cwd=shop, check=True)
    found = findings(shop)
    assert found["secrets/a.env is there and not tracked by git"] == "ok"
    assert found["secrets/b.env holds secrets and is tracked by git"] == "attention"
    assert found["secrets/c.env, the env file of sandbox `here`, is not there"] == "missing"


def test_a_project_that_does_not_compile_is_missing_something(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "shop")
    (shop / "workflows" / "bill" / "send.md").write_text("no header")
    assert [state for what, state in findings(shop).items() if "does not compile" in what] == ["missing"]


def test_a_server_that_cannot_be_found_is_missing(tmp_path: Path) -> None:
    found = findings(write_shop(tmp_path / "shop"), env={"LOOPY_NATS_SERVER": "/nowhere"})
    assert [state for what, state in found.items() if "/nowhere" in what] == ["missing"]
