"""`loopy init`: write a small project that compiles and rehearses."""

import argparse
import shlex
from pathlib import Path

from loopy.cli.exits import OK, CommandError
from loopy.cli.screen import DONE, Piece, Screen, line, stdout_screen

SCAFFOLD = Path(__file__).parent / "scaffold"
GITIGNORE = Path(".gitignore")


def run(args: argparse.Namespace) -> int:
    """Write the scaffold below `args.directory`; CommandError when something of it is there already."""
    root = Path(args.directory)
    files = scaffold()
    _refuse_to_overwrite(root, files)
    keeps_gitignore = (root / GITIGNORE).exists()
    for path, data in files.items():
        if path == GITIGNORE and keeps_gitignore:
            continue
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    _tell(stdout_screen(), root, list(files), keeps_gitignore)
    return OK


def scaffold() -> dict[Path, bytes]:
    """Every file of the scaffold by its path in a project."""
    found = sorted(path for path in SCAFFOLD.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {_in_project(path.relative_to(SCAFFOLD)): path.read_bytes() for path in found}


def _in_project(path: Path) -> Path:
    return GITIGNORE if path == Path("gitignore") else path


def _refuse_to_overwrite(root: Path, files: dict[Path, bytes]) -> None:
    if root.exists() and not root.is_dir():
        raise CommandError(f"{root} is a file", "name a directory")
    for path in files:
        if path != GITIGNORE and (root / path).exists():
            raise CommandError(f"{root / path} exists already; nothing was written", "name another directory")


def _tell(screen: Screen, root: Path, files: list[Path], keeps_gitignore: bool) -> None:
    screen.line(line(Piece(DONE, "ok"), f" a project of {len(files)} files in ", Piece(str(root), "name")))
    screen.lines(line(Piece(f"    {path}", "dim")) for path in files)
    if keeps_gitignore:
        screen.line(line(Piece("! ", "warn"), "kept your .gitignore; let it name .loopy/ and secrets/"))
    screen.line()
    screen.line("Next:")
    if root.resolve() != Path.cwd():
        screen.line(f"  cd {shlex.quote(str(root))}")
    screen.line("  loopy compile")
    screen.line("  loopy run --rehearse --deliver /hooks/question=deliveries/question.json")
