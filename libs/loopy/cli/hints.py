"""Commands to try next, written so that they can be copied as they stand."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from loopy.cli.deliver_option import Parcel
from loopy.cli.screen import Line, Piece, line, short, table
from loopy.runs.cascade import Cascade

LOOKED_BACK = "10m"


def program() -> str:
    """How this program can be called from here: `loopy` where that is on the path, else the file that was started."""
    started = Path(sys.argv[0] if sys.argv else "loopy")
    if started.name != "loopy" or not started.exists():
        return "loopy"
    found = shutil.which("loopy")
    return "loopy" if found is not None and Path(found).samefile(started) else path_from_here(started.absolute())


def command(project: Path, *words: str) -> str:
    """A command that talks to a project's server; names the project where it is not found from here by itself."""
    here = Path.cwd()
    named = () if project in (here, *here.parents) else ("--project", path_from_here(project))
    return shlex.join((program(), *words, *named))


def path_from_here(path: Path) -> str:
    """The path as one would type it here: relative, unless that is longer."""
    return min(os.path.relpath(path), str(path), key=len)


def after_once(project: Path, done: Sequence[Cascade], *, rehearse: bool) -> list[Line]:
    """What to try after a run that ended by itself."""
    serve = shlex.join((program(), "run", path_from_here(project), *(("--rehearse",) if rehearse else ())))
    tries = [(serve, "serves until Ctrl-C; then, from another terminal:"), *_looks(project, done)]
    return [line(), line("Try next:"), *_listed(tries)]


def while_it_serves(project: Path, parcels: Sequence[Parcel], http_url: str, done: Sequence[Cascade]) -> list[Line]:
    """What to try while a project is served, after these deliveries and what came of them."""
    posts = [
        (shlex.join(("curl", "--data-binary", f"@{parcel.file}", f"{http_url}{parcel.path}")), "one more delivery")
        for parcel in parcels[:1]
    ]
    return [
        line(),
        line("Try next, from another terminal:"),
        *_listed([*_looks(project, done), *posts]),
        line(Piece("Ctrl-C ends it; what is under way goes on with the next run.", "dim")),
    ]


def _looks(project: Path, done: Sequence[Cascade]) -> Iterator[tuple[str, str]]:
    """Commands that show what there is, each with what it shows."""
    yield command(project, "runs"), "every run, the newest first"
    for run in next((cascade.runs[:1] for cascade in done), ()):
        yield command(project, "runs", "show", short(run.run)), f"{run.workflow}, step by step"
    yield command(project, "tap", "--since", LOOKED_BACK), "what passed on the bus, and what passes"
    yield shlex.join((program(), "compile", path_from_here(project))), "what an edit of a step breaks"


def _listed(tries: Sequence[tuple[str, str]]) -> list[Line]:
    return table([line(f"  {words}", Piece(about, "dim")) for words, about in tries])
