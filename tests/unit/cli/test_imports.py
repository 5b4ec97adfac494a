"""Help and the compiler start quickly because they import nothing that they do not need."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"asyncio", "nats", "litestar", "uvicorn", "rich", "structlog", "jsonschema", "importlib.metadata"}
NOT_FOR_HELP = HEAVY | {"msgspec", "yaml", "jinja2", "croniter", "shutil", "difflib"}
SEED = Path(__file__).parents[2] / "fixtures" / "ai-sre"


def imported_by(*words: str) -> set[str]:
    program = (
        f"import sys; from loopy.cli.main import main; main({list(words)!r}); print('\\n' + ' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["compile", "--help"]], ids=" ".join)
def test_help_imports_next_to_nothing(words: list[str]) -> None:
    assert imported_by(*words) & NOT_FOR_HELP == set()


def test_compile_imports_nothing_of_what_runs() -> None:
    assert imported_by("compile", "--check", str(SEED)) & HEAVY == set()
