"""Runs that are started and awaited: as many at once as they go, and what they took of time and of the processors."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from tests.bench.processes import cpu_seconds
from tests.bench.workload import STEPS

REPETITIONS = 3
WINDOW = 256
TIMEOUT_S = 60

Start = Callable[[str], Awaitable[object]]


class Burst(msgspec.Struct):
    """Repetitions of a burst: steps a second, and the microseconds of CPU that a step took over all processes."""

    rates: list[float] = []
    cpu_us: list[float] = []


class Ends:
    """Runs that are to end, and when they did."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self._awaited: set[str] = set()
        self._all = asyncio.Event()

    def expect(self, run: str) -> None:
        """This run must end too."""
        self._awaited.add(run)
        self._all.clear()

    def note(self, run: str) -> None:
        """This run has ended."""
        self.at[run] = time.time()
        self._awaited.discard(run)
        if not self._awaited:
            self._all.set()

    async def all(self) -> None:
        """Return when every run that is expected has ended."""
        async with asyncio.timeout(TIMEOUT_S):
            await self._all.wait()


async def burst(name: str, begin: Start, ends: Ends, runs: int, repetitions: int = REPETITIONS) -> Burst:
    """So many runs as fast as they go, several times, after a smaller burst that warms everything up."""
    await at_once(f"{name}-warm", begin, ends, runs // 4)
    result = Burst()
    for repetition in range(repetitions):
        began, cpu = time.perf_counter(), cpu_seconds()
        await at_once(f"{name}-{repetition}", begin, ends, runs)
        result.rates.append(runs * STEPS / (time.perf_counter() - began))
        result.cpu_us.append((cpu_seconds() - cpu) / (runs * STEPS) * 1e6)
    return result


async def at_once(prefix: str, begin: Start, ends: Ends, runs: int) -> None:
    """Begin so many runs, as many at once as the window allows, and wait for the end of all."""
    identities = iter(f"{prefix}-{number}" for number in range(runs))

    async def work() -> None:
        for identity in identities:
            await begin(identity)

    await asyncio.gather(*(work() for _ in range(WINDOW)))
    await ends.all()
