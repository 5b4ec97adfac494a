"""The project that a command is about: where it lies, and its plan."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from loopy.cli.exits import FAILED, CommandError
from loopy.cli.screen import stderr_screen
from loopy.cli.server_file import STATE

if TYPE_CHECKING:
    from loopy.compiler.compile import Compiled
    from loopy.compiler.plan import Plan

_MARKS = ("registry.yml", "workflows", f"{STATE}/server.json")


def project_directory(given: str) -> Path:
    """The directory that was named, absolute. CommandError when it is none."""
    path = Path(given)
    if not path.is_dir():
        what = "is not a directory" if path.exists() else "does not exist"
        raise CommandError(f"{given} {what}", "name a project's directory; `loopy init DIR` makes one")
    return path.resolve()


def find_project(named: str | None) -> Path | None:
    """The project that was named, or the nearest one from here upwards."""
    if named is not None:
        return project_directory(named)
    here = Path.cwd()
    return next((path for path in (here, *here.parents) if any((path / mark).exists() for mark in _MARKS)), None)


def seen_from_here(project: Path) -> str:
    """What stands before the paths of a project's files, so that they can be opened from where the user is.

    "" for the project in which the user is, else its directory with a `/` at its end: as it was given, or from here
    when it lies below.
    """
    here = Path.cwd()
    shown = project.relative_to(here) if project.is_absolute() and project.is_relative_to(here) else project
    return "" if shown == Path() else f"{shown.as_posix()}/"


def compiled_of(project: Path) -> "Compiled":
    """The project with its plan. What is wrong is printed as `loopy compile` prints it, and CommandError raised."""
    from loopy.compiler.compile import compile_project
    from loopy.diagnostics.render.full import full
    from loopy.project.files import ProjectMissing, load_files

    try:
        compiled = compile_project(load_files(project))
    except ProjectMissing as error:
        raise CommandError(str(error), "name a project's directory; `loopy init DIR` makes one") from error
    if compiled.plan is None:
        colour = stderr_screen().has_colour
        sys.stderr.write(full(compiled.diagnostics, compiled.sources, project=seen_from_here(project), colour=colour))
        raise CommandError(f"{project} does not compile", "mend the errors above", code=FAILED)
    return compiled


def plan_of(project: Path) -> "Plan":
    """The project's plan, as `compiled_of` finds it. CommandError."""
    plan = compiled_of(project).plan
    assert plan is not None
    return plan


def plan_if_good(project: Path) -> "Plan | None":
    """The project's plan, or None where there is no project or it has errors."""
    from loopy.compiler.compile import compile_project
    from loopy.project.files import ProjectMissing, load_files

    try:
        return compile_project(load_files(project)).plan
    except ProjectMissing:
        return None
