"""Noticing that files of a project have changed, by looking at their stamps every now and then.

Looking needs nothing of the operating system but `stat`, so it works on every file system, and survives whatever an
editor or git does to directories. It costs a third of a millisecond for the example, and is done less often for a
project for which it takes longer, so that it never takes more than half a percent of a processor.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TypeAlias

from loopy.project.files import ProjectMissing, Stamp, stamp_files

PAUSE_S = 0.1
SHARE = 0.005
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
    pause_s = PAUSE_S
    while True:
        await asyncio.sleep(pause_s)
        began = time.perf_counter()
        found = await asyncio.to_thread(stamps_of, project)
        pause_s = max(PAUSE_S, (time.perf_counter() - began) / SHARE)
        if found == seen:
            continue
        while time.perf_counter() - began < LONGEST_S:
            await asyncio.sleep(QUIET_S)
            before, found = found, await asyncio.to_thread(stamps_of, project)
            if found == before:
                break
        seen = found
        yield began
