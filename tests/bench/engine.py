"""The engine at work: chains of four steps whose agents do nothing, from the event to the run's end.

Starter (this process), dispatcher, executor and server are processes of their own. First as many runs as fast as they
go, then an open loop at a constant rate. Two yardsticks are measured in the same run: the engine's barest shape on
nats-py (`sketch`), and all of the engine's durable messages on its own bus with nothing decided in between (`pump`).
"""

import asyncio
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import nats
from nats.aio.msg import Msg

from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.codec import read_record
from loopy.runs.ids import run_id
from loopy.runs.records import AttemptSucceeded, RunEnded
from tests.bench import live, pump, sketch
from tests.bench.bursts import Burst, Ends, burst
from tests.bench.rows import Row
from tests.bench.workload import CHAIN, DIAMOND, FIRST, first_event, write_workload

RUNS = 2_000
RATE = 20
SECONDS = 5
SERVICES = {"dispatcher": 1, "executor": 1}
# Of the sketch's steps a second, by the issue; rows tell how many times as long we take.
SHARE_OF_SKETCH = 0.45


def measure() -> list[Row]:
    """Bursts of chains and of diamonds, what a step costs, and what a single run takes at an easy rate."""
    return asyncio.run(_measure())


async def _measure() -> list[Row]:
    with TemporaryDirectory() as directory:
        root = Path(directory)
        write_workload(root)
        barest = await _barest_shape(root)
        floor = await _floor(root)
        async with (
            live.server(root / "store") as url,
            live.engine(root, url, SERVICES) as (bus, _),
        ):
            ends = RunEnds(bus)
            chains = await burst(CHAIN, lambda run: begin(bus, ends, CHAIN, run), ends, RUNS)
            diamonds = await burst(DIAMOND, lambda run: begin(bus, ends, DIAMOND, run), ends, RUNS)
            first_ms, whole_ms = await _open_loop(bus, ends)
            ends.close()
        fsynced = await _chains_on(root, "fsync")
        replicated = await _chains_on(root, "cluster")
    least, shape = statistics.median(floor.rates), statistics.median(barest.rates)
    shares = tuple(rate / shape for rate in chains.rates)
    return [
        Row("the barest shape on nats-py, steps", tuple(barest.rates), "/s"),
        Row("all of its messages and nothing decided, steps", tuple(floor.rates), "/s"),
        Row("chains of 4, steps", tuple(chains.rates), "/s", 5_000, least),
        Row("the same, share of the barest shape", shares, "×", SHARE_OF_SKETCH),
        Row("diamonds of 4, steps", tuple(diamonds.rates), "/s", 3_000, least),
        Row("chains, facts on the disk before they count, steps", tuple(fsynced.rates), "/s", 2_500),
        Row("chains, kept by three servers, steps", tuple(replicated.rates), "/s", 2_000),
        Row("the barest shape, CPU a step", tuple(barest.cpu_us), "µs"),
        Row("all messages and nothing decided, CPU a step", tuple(floor.cpu_us), "µs"),
        Row("chains of 4, CPU a step", tuple(chains.cpu_us), "µs", 360, statistics.median(floor.cpu_us)),
        Row(f"first step begins, at {RATE} runs/s", tuple(first_ms), "ms", 3),
        Row("the same, 99th percentile", (_percentile(first_ms),), "ms", 15),
        Row(f"run of 4 steps ends, at {RATE} runs/s", tuple(whole_ms), "ms", 10),
    ]


class RunEnds(Ends):
    """The ends of the engine's runs, watched as they are published; each must have succeeded."""

    def __init__(self, bus: Bus) -> None:
        super().__init__()
        self._watching = asyncio.create_task(self._watch(bus))

    def close(self) -> None:
        """Watch no longer."""
        self._watching.cancel()

    async def _watch(self, bus: Bus) -> None:
        async for message in bus.watch(bus.subjects.end("*")):
            ended = read_record(message)
            assert isinstance(ended, RunEnded)
            assert ended.outcome == "succeeded", ended
            self.note(ended.run)


async def begin(bus: Bus, ends: Ends, kind: str, identity: str) -> None:
    """Publish the event that starts a run."""
    ends.expect(run_id(kind.lower(), identity))
    await bus.publish_once(event_message(bus.subjects, first_event(kind, identity)))


async def _barest_shape(root: Path) -> Burst:
    """A burst of the sketch's runs."""
    async with live.server(root / "sketch") as url, live.children() as start:
        await sketch.provision(url)
        for role in ("dispatcher", "executor"):
            await start(f"sketch-{role}", ["-m", sketch.__name__, role, url], root)
        client = await nats.connect(url, pending_size=64 << 20)
        ends, context = Ends(), sketch.context_of(client)

        async def on_end(message: Msg) -> None:
            ends.note(message.subject.rpartition(".")[2])

        async def begin(run: str) -> None:
            ends.expect(run)
            await sketch.start(context, run)

        await client.subscribe(sketch.ENDS, cb=on_end)
        result = await burst("sketch", begin, ends, RUNS)
        await client.close()
    return result


async def _floor(root: Path) -> Burst:
    """A burst of the engine's messages alone."""
    async with live.server(root / "pump") as url, live.children() as start:
        bus = await Bus.connect(url, namespace=pump.NAMESPACE, name="bench")
        await bus.provision()
        for role in ("dispatcher", "executor"):
            await start(f"pump-{role}", ["-m", pump.__name__, role, url], root)
        ends, starter = Ends(), pump.Pump(bus)

        async def watch() -> None:
            async for message in bus.watch(bus.subjects.end("*")):
                ends.note(message.subject.split(".")[3])

        async def begin(run: str) -> None:
            ends.expect(run)
            await starter.start(run)

        watching = asyncio.create_task(watch())
        result = await burst("pump", begin, ends, RUNS)
        watching.cancel()
        await bus.close()
    return result


async def _chains_on(root: Path, ground: Literal["fsync", "cluster"]) -> Burst:
    """A burst of chains where everything is stored more safely."""
    safer = live.cluster(root / ground) if ground == "cluster" else live.server(root / ground, "power-loss")
    settings = {"LOOPY_REPLICAS": "3"} if ground == "cluster" else {"LOOPY_DURABILITY": "power-loss"}
    async with safer as url, live.engine(root, url, SERVICES, **settings) as (bus, _):
        ends = RunEnds(bus)
        chains = await burst(CHAIN, lambda run: begin(bus, ends, CHAIN, run), ends, RUNS // 2)
        ends.close()
    return chains


async def _open_loop(bus: Bus, ends: Ends) -> tuple[list[float], list[float]]:
    """Milliseconds from a run's start until its first step begins, and until it ends; starts wait for nothing."""
    first_step_at: dict[str, float] = {}
    watching = asyncio.create_task(_watch_first_steps(bus, first_step_at))
    began, started = time.perf_counter(), {}
    async with asyncio.TaskGroup() as group:
        for number in range(RATE * SECONDS):
            await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            started[run_id(CHAIN.lower(), f"loop-{number}")] = time.time()
            group.create_task(begin(bus, ends, CHAIN, f"loop-{number}"))
    await ends.all()
    if not watching.cancel():
        watching.result()
    first = [(first_step_at[run] - at) * 1000 for run, at in started.items()]
    return first, [(ends.at[run] - at) * 1000 for run, at in started.items()]


async def _watch_first_steps(bus: Bus, begun_at: dict[str, float]) -> None:
    """Note when the first step of each run was begun."""
    async for message in bus.watch(bus.subjects.results("*", FIRST)):
        success = read_record(message)
        assert isinstance(success, AttemptSucceeded)
        begun_at[success.run] = success.started_at.timestamp()


def _percentile(taken: list[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(taken, n=100)[98]
