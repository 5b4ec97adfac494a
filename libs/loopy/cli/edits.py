"""Noticing that files of a project have changed, by looking at their stamps every now and then.

Looking needs nothing of the operating system but `stat`, so it works on every file system, and survives whatever an
editor or git does to directories. A thread does it, because a file system may be slow to answer, and wakes the event
loop for nothing but an edit.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from loopy.project.files import ProjectMissing, Stamp, stamp_files

PAUSE_S = 0.1
SHARE = 0.005  # of a processor at most: a project that takes long to look at is looked at less often
SEARCHED_EVERY = 10  # looks: between them only what was there is looked at, which costs a quarter
QUIET_S = 0.05  # files that an editor or git is still writing are let be
LONGEST_S = 1.0

Stamps: TypeAlias = dict[str, Stamp]


def stamps_of(project: Path) -> Stamps:
    """The stamps of a project's files; of a project that is gone, none."""
    try:
        return stamp_files(project)
    except ProjectMissing:
        return {}


async def edits(project: Path, seen: Stamps) -> AsyncGenerator[float]:
    """Each time files have changed since they were `seen`: when that was noticed, by `time.perf_counter`. For ever.

    It is told when the files have been let be for a moment, or when they never are.
    """
    loop, stop = asyncio.get_running_loop(), threading.Event()
    noticed: asyncio.Queue[float] = asyncio.Queue()

    def tell(at: float) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(noticed.put_nowait, at)

    threading.Thread(target=look_out, args=(project, seen, stop, tell), name="edits", daemon=True).start()
    try:
        while True:
            yield await noticed.get()
    finally:
        stop.set()


def look_out(project: Path, seen: Stamps, stop: threading.Event, tell: Callable[[float], None]) -> None:
    """Tell of each edit until `stop` is set."""
    pause_s, looks, paths = 0.0, 0, _paths(project, seen)
    quick = _quick(paths)
    while not stop.wait(max(PAUSE_S, pause_s)):
        noticed, began = time.perf_counter(), time.thread_time()
        looks += 1
        if looks % SEARCHED_EVERY and _quick(paths) == quick:
            pause_s = (time.thread_time() - began) / SHARE
            continue
        found = stamps_of(project)
        if found != seen:
            seen = _settled(project, found, noticed, stop)
            tell(noticed)
            paths = _paths(project, seen)
        quick = _quick(paths)


def _settled(project: Path, found: Stamps, began: float, stop: threading.Event) -> Stamps:
    """The stamps, once they have stayed the same for a moment; the last ones when they never do."""
    while time.perf_counter() - began < LONGEST_S and not stop.wait(QUIET_S):
        before, found = found, stamps_of(project)
        if found == before:
            break
    return found


def _paths(project: Path, seen: Iterable[str]) -> list[str]:
    """Where these files are, and the directories that hold them: one of these changes when a file is added."""
    names = {"", *seen, *(name.rpartition("/")[0] for name in seen)}
    return [str(project / name) for name in sorted(names)]


def _quick(paths: Iterable[str]) -> list[object]:
    """What changes when what is at one of these paths does."""
    return [_status(path) for path in paths]


def _status(path: str) -> object:
    try:
        status = os.stat(path)  # noqa: PTH116  # three times as fast
    except OSError as error:
        return error.errno
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
