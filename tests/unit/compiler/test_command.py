"""`loopy compile` and `loopy explain` as a person or a program meets them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loopy.cli.main import main

SEED = Path(__file__).parents[2] / "fixtures" / "ai-sre"
GOOD = "✓ 4 workflows · 7 steps · 4 events — graph ok"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return shutil.copytree(SEED, tmp_path / "ai-sre", ignore=shutil.ignore_patterns(".loopy"))


def spoil(project: Path) -> None:
    """Plant one mistake."""
    step = project / "workflows" / "resolve" / "fix.md"
    step.write_text(step.read_text("utf-8").replace("arbitrate.goal", "arbitrate.gaol"), "utf-8")


def test_a_good_project_ends_with_its_line_and_leaves_plan_and_stubs(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compile", str(project)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == GOOD
    (plan,) = (project / ".loopy" / "plans").iterdir()
    assert lines[-2] == f"plan {plan.stem} → {plan}"
    assert json.loads(plan.read_bytes())["workflows"].keys() == {"confirm", "resolve", "triage", "upkeep"}
    assert "class Incident" in (project / ".loopy" / "typings" / "loopy" / "events.pyi").read_text("utf-8")


def test_check_writes_nothing(project: Path) -> None:
    assert main(["compile", str(project), "--check"]) == 0
    assert not (project / ".loopy").exists()


def test_an_error_ends_with_the_counts(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(project)
    assert main(["compile", str(project)]) == 1
    out = capsys.readouterr().out
    assert "workflows/resolve/fix.md:8:24" in out
    assert out.splitlines()[-1] == "✗ 1 error, 4 warnings"
    assert "\x1b" not in out
    assert not (project / ".loopy").exists()


def test_strict_takes_warnings_for_errors(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(project), "--check", "--strict"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "✗ 4 warnings (--strict)"


def test_what_strict_refuses_leaves_neither_plan_nor_stubs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(project), "--strict"]) == 1
    assert not (project / ".loopy").exists()
    capsys.readouterr()
    assert main(["compile", str(project), "--strict", "--out", "-"]) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("style", ["full", "concise"])
def test_paths_can_be_opened_from_where_the_user_stands(
    style: str, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(directory: str) -> str:
        assert main(["compile", directory, "--check", "--format", style]) == 0
        return next(word for word in capsys.readouterr().out.split() if "registry.yml:" in word).partition(":")[0]

    monkeypatch.chdir(project.parent)
    assert shown("ai-sre") == shown(str(project)) == "ai-sre/registry.yml"
    monkeypatch.chdir(project / "sensors")
    assert shown("..") == "../registry.yml"
    assert shown(str(project)) == f"{project}/registry.yml"
    monkeypatch.chdir(project)
    assert shown(".") == shown(str(project)) == "registry.yml"


def test_concise_and_json_and_github_name_the_same_mistake(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(project)
    assert main(["compile", str(project), "--format", "concise"]) == 1
    concise = capsys.readouterr().out
    assert "workflows/resolve/fix.md:8:24: error[LP302]: `arbitrate` has no output `gaol`\n" in concise
    assert main(["compile", str(project), "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["errors"], document["warnings"], document["plan"]) == (False, 1, 4, None)
    assert main(["compile", str(project), "--format", "github"]) == 1
    assert "::error file=workflows/resolve/fix.md,line=8," in capsys.readouterr().out


def test_github_names_files_from_where_the_command_runs(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.parent)
    assert main(["compile", "ai-sre", "--check", "--format", "github"]) == 0
    assert "file=ai-sre/registry.yml," in capsys.readouterr().out
    monkeypatch.chdir(project)
    assert main(["compile", "--check", "--format", "github"]) == 0
    assert "file=registry.yml," in capsys.readouterr().out


def test_a_plan_can_go_to_a_file_or_to_standard_output(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = project.parent / "deep" / "plan.json"
    assert main(["compile", str(project), "--out", str(out)]) == 0
    capsys.readouterr()
    assert main(["compile", str(project), "--out", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(out.read_bytes())
    assert not (project / ".loopy").exists()


def test_no_project_is_one_message_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(tmp_path)]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "holds no project" in streams.err


@pytest.mark.parametrize("written", ["LP302", "lp302", "302", "error[LP302]"])
def test_explain_prints_the_page_however_the_code_is_written(written: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", written]) == 0
    assert capsys.readouterr().out.startswith("# LP302: an unknown field\n")


def test_explain_suggests_for_an_unknown_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "LP3002"]) == 2
    assert "LP302" in capsys.readouterr().err


def test_explain_alone_lists_every_code(capsys: pytest.CaptureFixture[str]) -> None:
    from loopy.diagnostics.codes import CODES

    assert main(["explain"]) == 0
    assert [line[:5] for line in capsys.readouterr().out.splitlines()] == sorted(CODES)


def test_compiling_simple_prose_imports_nothing_heavy(project: Path) -> None:
    program = (
        "import sys; from loopy.cli.main import main; code = main(sys.argv[1:]);"
        "heavy = {'jinja2', 'rich', 'nats', 'litestar', 'structlog', 'jsonschema', 'asyncio'};"
        "heavy &= set(sys.modules);"
        "print(sorted(heavy), file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", program, "compile", str(project), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_plan_on_standard_output_stands_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(project), "--out", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["workflows"]
    assert err.splitlines()[-1] == GOOD
    assert "warning[" in err
    spoil(project)
    assert main(["compile", str(project), "--out", "-"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "workflows/resolve/fix.md:8:24" in err


def test_no_project_is_an_error_with_a_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(tmp_path / "nowhere")]) == 2
    assert "loopy init DIR" in capsys.readouterr().err
