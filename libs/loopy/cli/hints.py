"""Commands to try next, written so that they can be copied as they stand."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from loopy.cli.look import Line, Piece, line, short, table
from loopy.cli.values import example_fields
from loopy.compiler.plan import Plan
from loopy.runs.cascade import Cascade, CascadeRun


def program() -> str:
    """How this program can be called from here: `loopy` where that is on the path, else the file that was started."""
    started = sys.argv[0] if sys.argv else "loopy"
    found = shutil.which("loopy")
    if found is not None and Path(started).exists() and Path(found).samefile(started):
        return "loopy"
    return os.path.relpath(started) if Path(started).name == "loopy" and Path(started).exists() else "loopy"


def command(project: Path, *words: str) -> str:
    """A command that talks to a project's server; names the project where it is not found from here by itself."""
    here = Path.cwd()
    named = () if project in (here, *here.parents) else ("--project", path_from_here(project))
    return shlex.join((program(), *words, *named))


def path_from_here(path: Path) -> str:
    """The path as one would type it here: relative, unless that is longer."""
    return min(os.path.relpath(path), str(path), key=len)


def again(project: Path, *, rehearse: bool) -> list[Line]:
    """What to try after a run that ended by itself."""
    flags = ("--rehearse",) if rehearse else ()
    words = shlex.join((program(), "run", path_from_here(project), *flags))
    return [line(), line("Try next:"), line(f"  {words}", Piece("  serves until Ctrl-C", "dim"))]


def next_steps(project: Path, plan: Plan, done: Sequence[Cascade]) -> list[Line]:
    """What to try while a project runs, after these cascades."""
    tries = [
        (("runs",), "every run, the newest first"),
        *((("runs", "show", short(run.run)), f"{run.workflow}, step by step") for run in _first_runs(done)),
        (("tap",), "what passes on the bus, as it passes"),
    ]
    return [
        line(),
        line("Try next, from another terminal:"),
        *table([line(f"  {command(project, *words)}", Piece(about, "dim")) for words, about in tries]),
        *(line(f"  {command(project, *words)}") for words in _trigger_example(plan)),
        line(Piece("Ctrl-C ends it; what is under way goes on with the next run.", "dim")),
    ]


def _trigger_example(plan: Plan) -> Iterator[tuple[str, ...]]:
    """An event that starts a workflow, with a value for each of its fields."""
    for event in filter(plan.started_by, plan.events):
        yield ("trigger", event, *example_fields(plan.events[event]), "--wait")
        return


def _first_runs(done: Sequence[Cascade]) -> Sequence[CascadeRun]:
    return next((cascade.runs[:1] for cascade in done), [])
