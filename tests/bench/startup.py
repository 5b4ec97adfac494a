"""How long `loopy --help` takes as a whole process, beside a Python that does nothing."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from tests.bench.rows import Row

RUNS = 11
PROGRAM = str(Path(sys.executable).with_name("loopy"))


def measure() -> list[Row]:
    """The help, and as its floor the bare interpreter."""
    bare = _timed([sys.executable, "-c", "pass"], RUNS)
    return [Row("loopy --help", processes("--help"), target=0.12, floor=median(bare))]


def processes(*arguments: str, runs: int = RUNS) -> tuple[float, ...]:
    """Seconds of whole processes of `loopy` with these arguments, after one that warms the caches."""
    _timed([PROGRAM, *arguments], 1)
    return _timed([PROGRAM, *arguments], runs)


def _timed(command: list[str], runs: int) -> tuple[float, ...]:
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - begin)
    return tuple(times)
