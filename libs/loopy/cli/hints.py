"""Commands to try next, written so that they can be copied as they stand."""

import os
import shlex
import shutil
import sys
from pathlib import Path


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
