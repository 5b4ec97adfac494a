"""What it costs that runs wait: the CPU time of all services and the server while ten thousand retries are due."""

import asyncio
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from loopy.bus.cloudevents import event_message
from loopy.bus.streams import TIMERS
from tests.bench import live
from tests.bench.memory import SERVICES
from tests.bench.processes import cpu_seconds
from tests.bench.rows import Row
from tests.bench.workload import WAITING, first_event, write_workload
from tests.support.waiting import wait_until

RUNS = 10_000
WINDOW = 256
PORTIONS, PORTION_S = 5, 4.0
TARGET_PERCENT = 1.0
SETTLED_WITHIN_S = 120


def measure() -> list[Row]:
    """The share of one core that all processes take with nothing to do, and what the waiting takes beyond that."""
    return asyncio.run(_measure())


async def _measure() -> list[Row]:
    with TemporaryDirectory() as directory:
        root = Path(directory)
        write_workload(root)
        async with live.server(root / "store") as url, live.engine(root, url, SERVICES) as (bus, _):
            idle = await _shares()
            numbers = iter(range(RUNS))

            async def begin() -> None:
                for number in numbers:
                    await bus.publish_once(event_message(bus.subjects, first_event(WAITING, f"w{number}")))

            async def all_wait() -> bool:
                return await bus.position(TIMERS) >= RUNS

            await asyncio.gather(*(begin() for _ in range(WINDOW)))
            await wait_until(all_wait, SETTLED_WITHIN_S)
            waiting = await _shares()
    nothing = statistics.median(idle)
    return [
        Row("all services and the server, nothing to do", tuple(idle), "%"),
        Row(f"{RUNS:,} runs wait, beyond that", tuple(share - nothing for share in waiting), "%", TARGET_PERCENT),
    ]


async def _shares() -> list[float]:
    """The share of one core that all processes take, in each of some portions of time."""
    shares = []
    for _ in range(PORTIONS):
        began, cpu = time.perf_counter(), cpu_seconds()
        await asyncio.sleep(PORTION_S)
        shares.append((cpu_seconds() - cpu) / (time.perf_counter() - began) * 100)
    return shares
