"""The engine at work: chains of four steps whose agents do nothing, from the event to the run's end.

Starter (this process), dispatcher, executor and server are processes of their own. First as many runs as fast as they
go, then an open loop at a constant rate. The floor is measured first, in the same run: the same durable messages,
pumped by plain nats-py (`pump`).
"""

import asyncio
import contextlib
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import nats
from nats.aio.msg import Msg

from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.codec import read_record
from loopy.bus.server import EmbeddedServer
from loopy.runs.ids import run_id
from loopy.runs.records import AttemptSucceeded, RunEnded
from tests.bench import pump
from tests.bench.processes import cpu_seconds
from tests.bench.rows import Row
from tests.bench.workload import CHAIN, DIAMOND, FIRST, STEPS, first_event, write_workload
from tests.support.waiting import wait_until

NAMESPACE = "bench"
REPETITIONS = 3
RUNS = 1_000
WINDOW = 64
RATE = 20
SECONDS = 5
SLOTS = 64

Start = Callable[[str], Awaitable[object]]


class Burst(msgspec.Struct):
    """Repetitions of a burst: steps a second, and the microseconds of CPU that a step took over all processes."""

    rates: list[float] = []
    cpu_us: list[float] = []


def measure() -> list[Row]:
    """Bursts of chains and of diamonds, what a step costs, and what a single run takes at an easy rate."""
    return asyncio.run(_measure())


async def _measure() -> list[Row]:
    with TemporaryDirectory() as directory:
        root = Path(directory)
        floor = await _floor(root)
        write_workload(root)
        async with _server(root / "store") as url, _engine(root, url) as bus:
            ends = Ends()
            watching = asyncio.create_task(ends.watch(bus))
            chains = await _burst(CHAIN, lambda run: _begin(bus, ends, CHAIN, run), ends)
            diamonds = await _burst(DIAMOND, lambda run: _begin(bus, ends, DIAMOND, run), ends)
            first_ms, whole_ms = await _open_loop(bus, ends)
            watching.cancel()
    least = statistics.median(floor.rates)
    return [
        Row("the same messages, plain nats-py, steps", tuple(floor.rates), "/s"),
        Row("chains of 4, steps", tuple(chains.rates), "/s", 5_000, least),
        Row("diamonds of 4, steps", tuple(diamonds.rates), "/s", 3_000, least),
        Row("the same messages, plain nats-py, CPU a step", tuple(floor.cpu_us), "µs"),
        Row("chains of 4, CPU a step", tuple(chains.cpu_us), "µs", 360, statistics.median(floor.cpu_us)),
        Row(f"first step begins, at {RATE} runs/s", tuple(first_ms), "ms", 3),
        Row("the same, 99th percentile", (_percentile(first_ms),), "ms", 15),
        Row(f"run of 4 steps ends, at {RATE} runs/s", tuple(whole_ms), "ms", 10),
    ]


class Ends:
    """Runs that are to end, and when they did."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.first_step_at: dict[str, float] = {}
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
        async with asyncio.timeout(30):
            await self._all.wait()

    async def watch(self, bus: Bus) -> None:
        """Note the ends of the engine's runs; each must have succeeded."""
        async for message in bus.watch(bus.subjects.end("*")):
            ended = read_record(message)
            assert isinstance(ended, RunEnded)
            assert ended.outcome == "succeeded", ended
            self.note(ended.run)

    async def watch_first_steps(self, bus: Bus) -> None:
        """Note when the first step of each run was begun."""
        async for message in bus.watch(bus.subjects.results(step=FIRST)):
            success = read_record(message)
            assert isinstance(success, AttemptSucceeded)
            self.first_step_at[success.run] = success.started_at.timestamp()


async def _floor(root: Path) -> Burst:
    async with _server(root / "floor") as url, _children() as start:
        await pump.provision(url)
        for role in ("dispatcher", "executor"):
            await start(f"floor-{role}", ["-m", "tests.bench.pump", role, url], root)
        client = await nats.connect(url, pending_size=16 << 20)
        ends, context = Ends(), client.jetstream()

        async def on_end(message: Msg) -> None:
            ends.note(message.subject.rpartition(".")[2])

        async def begin(run: str) -> None:
            ends.expect(run)
            await pump.start(context, run)

        await client.subscribe(pump.ENDS, cb=on_end)
        burst = await _burst("floor", begin, ends)
        await client.close()
    return burst


async def _burst(name: str, begin: Start, ends: Ends) -> Burst:
    """So many runs as fast as they go, after a smaller burst that warms everything up."""
    await _at_once(f"{name}-warm", begin, ends, RUNS // 4)
    burst = Burst()
    for repetition in range(REPETITIONS):
        began, cpu = time.perf_counter(), cpu_seconds()
        await _at_once(f"{name}-{repetition}", begin, ends, RUNS)
        burst.rates.append(RUNS * STEPS / (time.perf_counter() - began))
        burst.cpu_us.append((cpu_seconds() - cpu) / (RUNS * STEPS) * 1e6)
    return burst


async def _at_once(prefix: str, begin: Start, ends: Ends, runs: int) -> None:
    identities = iter(f"{prefix}-{number}" for number in range(runs))

    async def work() -> None:
        for identity in identities:
            await begin(identity)

    await asyncio.gather(*(work() for _ in range(WINDOW)))
    await ends.all()


async def _begin(bus: Bus, ends: Ends, kind: str, identity: str) -> str:
    """Publish the event that starts a run; the run."""
    run = run_id(kind.lower(), identity)
    ends.expect(run)
    await bus.publish_once(event_message(bus.subjects, first_event(kind, identity)))
    return run


async def _open_loop(bus: Bus, ends: Ends) -> tuple[list[float], list[float]]:
    """Milliseconds from a run's start until its first step begins, and until it ends; starts wait for nothing."""
    watching = asyncio.create_task(ends.watch_first_steps(bus))
    began, started = time.perf_counter(), {}
    async with asyncio.TaskGroup() as group:
        for number in range(RATE * SECONDS):
            await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            started[run_id(CHAIN.lower(), f"loop-{number}")] = time.time()
            group.create_task(_begin(bus, ends, CHAIN, f"loop-{number}"))
    await ends.all()
    watching.cancel()
    first = [(ends.first_step_at[run] - at) * 1000 for run, at in started.items()]
    return first, [(ends.at[run] - at) * 1000 for run, at in started.items()]


@asynccontextmanager
async def _server(store: Path) -> AsyncIterator[str]:
    server = await EmbeddedServer.start(store)
    try:
        yield server.url
    finally:
        await server.stop()


@asynccontextmanager
async def _engine(root: Path, url: str) -> AsyncIterator[Bus]:
    """A dispatcher and an executor; the bus, once both are ready."""
    environment = {
        "LOOPY_NATS_URL": url,
        "LOOPY_NAMESPACE": NAMESPACE,
        "LOOPY_PROJECT": str(root / "project"),
        "LOOPY_PORT": "0",
        "LOOPY_SLOTS": str(SLOTS),
        "PYTHONPATH": os.pathsep.join([str(root / "runtime"), os.environ.get("PYTHONPATH", "")]),
    }
    async with AsyncExitStack() as stack:
        start = await stack.enter_async_context(_children())
        bus = await Bus.connect(url, namespace=NAMESPACE, name="bench")
        stack.push_async_callback(bus.close)
        await bus.provision()
        for service in ("dispatcher", "executor"):
            await start(service, ["-m", f"loopy_services.{service}"], root, environment)
        for service in ("dispatcher", "executor"):
            log = root / f"{service}.log"
            await wait_until(lambda log=log: "services.ready" in log.read_text())  # type: ignore[misc]
        yield bus


Spawn = Callable[..., Awaitable[None]]


@asynccontextmanager
async def _children() -> AsyncIterator[Spawn]:
    """What starts processes that are killed at the end. Their log lines go to files."""
    children: list[asyncio.subprocess.Process] = []

    async def spawn(name: str, arguments: list[str], root: Path, environment: dict[str, str] | None = None) -> None:
        with (root / f"{name}.log").open("wb") as log:
            variables = {**os.environ, **(environment or {})}
            child = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=variables, stderr=log)
        children.append(child)

    try:
        yield spawn
    finally:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def _percentile(taken: list[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(taken, n=100)[98]
