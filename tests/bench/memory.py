"""Whether services grow: the memory that each has after many runs, beside what it had after some."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import live
from tests.bench.bursts import at_once
from tests.bench.engine import RunEnds, begin
from tests.bench.processes import resident_bytes
from tests.bench.rows import Row
from tests.bench.workload import CHAIN, write_workload

SOME, MANY = 20_000, 100_000
PORTION = 10_000
TARGET_PERCENT = 2.0
SERVICES = {"dispatcher": 1, "executor": 1, "scheduler": 1, "ingress": 1}


def measure() -> list[Row]:
    """How much each service grew between so many runs and many more."""
    return asyncio.run(_measure())


async def _measure() -> list[Row]:
    with TemporaryDirectory() as directory:
        root = Path(directory)
        write_workload(root)
        async with live.server(root / "store") as url, live.engine(root, url, SERVICES) as (bus, processes):
            ends, sizes = RunEnds(bus), {}
            for count in range(PORTION, MANY + 1, PORTION):
                await at_once(f"m{count}", lambda run: begin(bus, ends, CHAIN, run), ends, PORTION)
                sizes[count] = {name: resident_bytes(pid) for name, pid in processes.items()}
            ends.close()
    grown = {name: (sizes[MANY][name] / sizes[SOME][name] - 1) * 100 for name in processes}
    what = f"memory from run {SOME:,} to {MANY:,}"
    return [Row(f"{name.partition('-')[0]}, {what}", (by,), "%", TARGET_PERCENT) for name, by in grown.items()]
