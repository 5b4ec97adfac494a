"""What the processes of a benchmark take: CPU time, of this one and of all that descend from it, and memory."""

import os
from pathlib import Path


def cpu_seconds() -> float:
    """The CPU time that this process and its living descendants have taken so far; Linux only."""
    stats = [stat for entry in Path("/proc").iterdir() if entry.name.isdecimal() and (stat := _stat(entry)) is not None]
    family, grown = {os.getpid()}, True
    while grown:
        children = {pid for pid, parent, _ in stats if parent in family} - family
        family |= children
        grown = bool(children)
    return sum(ticks for pid, _, ticks in stats if pid in family) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """The memory that a process has now; Linux only."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _stat(entry: Path) -> tuple[int, int, int] | None:
    """(pid, parent's pid, ticks in user and system mode); None when the process has just ended."""
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(entry.name), int(fields[1]), int(fields[11]) + int(fields[12])
