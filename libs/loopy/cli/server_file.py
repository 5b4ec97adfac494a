"""`.loopy/server.json`: where a running project is reached. It holds credentials, so its owner alone can read it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from loopy.cli.exits import CommandError

STATE = ".loopy"
_FILE = Path(STATE, "server.json")
_LOCK = Path(STATE, "run.lock")


class Whereabouts(msgspec.Struct, frozen=True):
    """Where a running project is: its NATS server (with credentials), its HTTP listener, namespace and process."""

    nats_url: str
    http_url: str
    namespace: str
    pid: int

    def __repr__(self) -> str:
        return f"Whereabouts(nats_url=…, http_url={self.http_url!r}, namespace={self.namespace!r}, pid={self.pid})"


def read_server_file(project: Path) -> Whereabouts | None:
    """The whereabouts of a project's `loopy run`, or None when there is none or the file cannot be understood."""
    try:
        return msgspec.json.decode((project / _FILE).read_bytes(), type=Whereabouts)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def is_alive(pid: int) -> bool:
    """Whether a process of this id exists."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def announced(project: Path, whereabouts: Whereabouts) -> Iterator[None]:
    """Have the file say where the project is, whole or not at all, until the context ends."""
    file = project / _FILE
    draft = file.with_name(f"{file.name}.{whereabouts.pid}")
    with suppress(FileNotFoundError):
        draft.unlink()
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(whereabouts)) + b"\n")
    draft.replace(file)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            file.unlink()


@contextmanager
def sole_runner(project: Path) -> Iterator[None]:
    """Be the only `loopy run` of a project. CommandError names the other one; the lock ends with the process."""
    try:
        (project / STATE).mkdir(exist_ok=True)
        descriptor = os.open(project / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(project, error) from None
    try:
        _lock(project, descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(project: Path, descriptor: int) -> None:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except BlockingIOError:
        raise _runs_already(project, descriptor) from None
    except OSError as error:
        raise _unusable(project, error) from None


def _unusable(project: Path, error: OSError) -> CommandError:
    return CommandError(
        f"{project / STATE} cannot be written to: {error.strerror}", "a run keeps its state there, the store included"
    )


def _runs_already(project: Path, descriptor: int) -> CommandError:
    pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "?"
    there = read_server_file(project)
    where = f"at {there.http_url}" if there is not None and str(there.pid) == pid else "still starting"
    return CommandError(
        f"{project} is being run already, by process {pid} ({where})",
        f"`loopy runs` and `loopy tap` show what it does; `kill {pid}` ends it",
    )
