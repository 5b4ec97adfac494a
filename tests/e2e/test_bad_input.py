"""No file, no bytes and no flags make a command print a traceback."""

import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from loopy.cli.commands import COMMANDS
from loopy.cli.main import main
from tests.support.command_line import LOOPY, environment, loopy
from tests.support.shop import write_shop

ODD = ["", "-", "--", "-x", "--=", "\udcff", "a\nb", "\x1b[2J", "9" * 5000, "../..", "*", "🦊", "%s{0}", "=", "null"]
FILES = ["registry.yml", "workflows/sell/quote.md", "sensors/orders.py", "skills/x/SKILL.md", "tools/x.py"]
GARBAGE = [
    b"",
    b"\x00" * 100,
    b"\xff\xfe\xfa" * 50,
    b"---\n---\n---\n",
    b"{" * 3000,
    b"\xef\xbb\xbf---\non: \x1b[2J\n---\n",
    b"&a [*a]",
]
WHEREABOUTS = [b"", b"\xff", b'{"pid": 1}', b'{"nats_url":"x","http_url":"","namespace":"","pid":1}']

Calmly = Callable[..., int]


@pytest.fixture
def calmly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Calmly:
    """Runs a command in this process, in a directory `a/b/c` of its own: it must end in words, whatever it is given."""
    here = tmp_path / "a" / "b" / "c"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("LOOPY_DEBUG", "1")

    def run(*words: str) -> int:
        code = main(words)
        shown = "".join(capfd.readouterr())
        assert "Traceback" not in shown
        assert "internal error" not in shown
        assert code in (0, 1, 2)
        return code

    return run


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_odd_arguments_end_in_words(command: str, calmly: Calmly) -> None:
    for odd in ODD:
        calmly(command, odd)


@pytest.mark.parametrize(
    "words",
    [
        ["trigger", "Order", "--nats", "{}"],
        ["trigger", "Order", "--json", "{}", "--project", "shop"],
        ["runs", "--project", "{}"],
        ["runs", "--nats", "nats://127.0.0.1:1", "--namespace", "{}"],
        ["tap", "{}", "--nats", "nats://127.0.0.1:1"],
        ["run", "shop", "--deliver", "/hooks/order={}"],
        ["run", "shop", "--namespace", "{} {}"],
        ["compile", "shop", "--out", "{}"],
    ],
    ids=" ".join,
)
def test_odd_values_end_in_words(words: list[str], calmly: Calmly) -> None:
    write_shop(Path("shop").absolute())
    for odd in ("", "\udcff", "a\nb", "9" * 300, "..", "🦊", "nats://[", "nats://:x@h:99999"):
        calmly(*(word.replace("{}", odd) for word in words))


@pytest.mark.parametrize("name", FILES)
def test_garbage_in_files_ends_in_words(name: str, calmly: Calmly) -> None:
    shop = write_shop(Path("shop").absolute())
    for garbage, command in itertools.product(GARBAGE, ("compile", "doctor")):
        (shop / name).parent.mkdir(parents=True, exist_ok=True)
        (shop / name).write_bytes(garbage)
        calmly(command, "shop")


@pytest.mark.parametrize("content", WHEREABOUTS)
def test_garbage_for_whereabouts_ends_in_words(content: bytes, calmly: Calmly) -> None:
    Path(".loopy").mkdir()
    Path(".loopy", "server.json").write_bytes(content)
    for command in (["runs"], ["tap", "--count", "1"], ["deliveries"], ["trigger", "E"]):
        assert calmly(*command) == 2


def test_a_directory_in_a_files_place_ends_in_words(calmly: Calmly) -> None:
    shop = write_shop(Path("shop").absolute())
    (shop / "registry.yml").unlink()
    (shop / "registry.yml").mkdir()
    for command in ("compile", "run", "doctor"):
        calmly(command, "shop")


def test_links_that_lead_nowhere_end_in_words(calmly: Calmly) -> None:
    shop = write_shop(Path("shop").absolute())
    (shop / "workflows" / "loop").symlink_to(shop / "workflows" / "loop")
    (shop / "sensors" / "gone.py").symlink_to("/nowhere")
    for command in ("compile", "doctor"):
        calmly(command, "shop")


@pytest.mark.parametrize("command", ["compile", "runs", "trigger"])
def test_bytes_that_are_no_text_are_refused_by_a_real_process_too(command: str, tmp_path: Path) -> None:
    done = loopy(command, "\udcff\udcfe", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) <= 3


def test_an_encoding_that_cannot_say_it_says_it_otherwise(tmp_path: Path) -> None:
    done = loopy("init", "demo", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.returncode == 0
    assert "\\u2713" in done.stdout


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_shows_nothing_and_is_no_error(closed: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"{LOOPY}" init demo {closed}'], cwd=tmp_path, env=environment(), capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "demo" / "registry.yml").exists()
