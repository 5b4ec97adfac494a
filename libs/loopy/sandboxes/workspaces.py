"""The directories of local sandboxes, under one root.

    <root>/<run>/shared/<sandbox>   files that the steps of a run share; kept until the run has ended
    <root>/<run>/steps/<execution>  files of one execution, where its step asks for a directory of its own
    <root>/<run>/tmp/<execution>    temporary files of one execution

An execution is named `<step>-<epoch>-<attempt>-<lease>`, so that executors that share this root remove only their own.
Ids and names from outside become path segments by `token`, so that no name leads out of the root.
"""

import contextlib
import shutil
from collections import Counter
from pathlib import Path

import msgspec

from loopy.bus.subjects import token
from loopy.sandboxes.provider import Placement


class Workspace(msgspec.Struct, frozen=True):
    """Two directories for one attempt: where it works, and where it puts temporary files."""

    placement: Placement
    files: Path
    temporary: Path


class Workspaces:
    """Makes directories for attempts, and knows which are no longer needed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: Counter[str] = Counter()
        self._ended: set[str] = set()

    def make(self, placement: Placement, sandbox: str) -> Workspace:
        """Directories for an attempt; what was left there before is removed first. OSError."""
        run = self._root / token(placement.run)
        own = f"{token(placement.step)}-{placement.epoch}-{placement.attempt}-{placement.lease}"
        shared = placement.workspace == "run"
        files = run / "shared" / token(sandbox) if shared else run / "steps" / own
        workspace = Workspace(placement, files, run / "tmp" / own)
        remove(workspace.temporary)
        if not shared:
            remove(files)
        for directory in (files, workspace.temporary):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._open[placement.run] += 1
        return workspace

    def give_back(self, workspace: Workspace) -> tuple[Path, ...]:
        """The attempt is over: the directories to `remove` now, all of its run if that has ended meanwhile."""
        run = workspace.placement.run
        self._open[run] -= 1
        if run in self._ended and not self._open[run]:
            return self.end_run(run)
        own = () if workspace.placement.workspace == "run" else (workspace.files,)
        return (workspace.temporary, *own)

    def runs(self) -> tuple[str, ...]:
        """The runs that have directories; none when the root is not there, or cannot be read."""
        with contextlib.suppress(OSError):
            return tuple(sorted(directory.name for directory in self._root.iterdir()))
        return ()

    def end_run(self, run: str) -> tuple[Path, ...]:
        """The run is over: its directory, to `remove` now; nothing yet while an attempt of it is open."""
        if self._open[run] > 0:
            self._ended.add(run)
            return ()
        del self._open[run]
        self._ended.discard(run)
        return (self._root / token(run),)


def remove(directory: Path) -> None:
    """Remove a directory and all below it, also what its owner had made unreadable; one that is not there is fine.

    Another executor may be removing it, too: it is gone when this returns, whoever removed what.
    """
    while directory.exists():
        try:
            shutil.rmtree(directory)
        except FileNotFoundError:
            continue
        except PermissionError:
            _open_up(directory)
            shutil.rmtree(directory)


def _open_up(directory: Path) -> None:
    directory.chmod(0o700)
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            _open_up(entry)
