"""A dispatcher or scheduler in this process on a real bus, with executors that answer at once what the test says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loopy.bus.client import Bus
from loopy.bus.codec import read_record, record_message
from loopy.bus.journal import read_cascade
from loopy.bus.messages import Ack, Message, Verdict
from loopy.bus.streams import ATTEMPTS, executor_consumer
from loopy.clock import Clock, SystemClock
from loopy.compiler.plan import Plan
from loopy.kit.current_plan import CurrentPlan
from loopy.kit.http import HttpServer
from loopy.kit.service import Host, Serve
from loopy.kit.settings import Settings
from loopy.runs.cascade import Cascade
from loopy.runs.records import AttemptFailed, AttemptRequested, AttemptSucceeded, Emitted
from tests.support.waiting import wait_until

Answer = AttemptSucceeded | AttemptFailed
Behaviour = Callable[[AttemptRequested], Answer]


class ShiftedClock:
    """A clock that shows another time than this machine's, and goes as fast."""

    def __init__(self, shows: datetime) -> None:
        self._offset = shows - datetime.now(UTC)

    def now(self) -> datetime:
        """The shifted time."""
        return datetime.now(UTC) + self._offset

    def monotonic(self) -> float:
        """As this machine's."""
        return SystemClock().monotonic()


@asynccontextmanager
async def serving(
    serve: Serve, bus: Bus, plan: Plan, *, replicas: int = 1, clock: Clock | None = None, **changes: Any
) -> AsyncIterator[CurrentPlan]:
    """Run replicas of a service until the block ends; what one of them raises is raised here.

    Gives the plan that is current for all of them, to be switched. `changes` are settings other than the defaults.
    """
    current, stopping = CurrentPlan(plan), asyncio.Event()
    settings = Settings(nats_url="nats://127.0.0.1", **changes)
    async with asyncio.TaskGroup() as group:
        for number in range(replicas):
            host = Host(
                name=f"replica-{number}",
                settings=settings,
                bus=bus,
                project=Path(),
                current=current,
                clock=clock or SystemClock(),
                http=HttpServer(settings),
                stopping=stopping,
                is_ready=asyncio.Event(),
            )
            group.create_task(_run(serve, host))
            await host.is_ready.wait()
        try:
            yield current
        finally:
            stopping.set()


async def _run(serve: Serve, host: Host) -> None:
    await serve(host)


@asynccontextmanager
async def executing(bus: Bus, behaviours: Mapping[str, Behaviour] | None = None) -> AsyncIterator[None]:
    """Execute every attempt of pool `default`: as its step's behaviour says, else it succeeds with nothing."""
    stopping = asyncio.Event()

    async def on_attempt(message: Message) -> Verdict:
        requested = read_record(message)
        assert isinstance(requested, AttemptRequested)
        answer = (behaviours or {}).get(requested.step, success())(requested)
        await bus.publish_once(record_message(bus.subjects, answer))
        return Ack()

    async with asyncio.TaskGroup() as group:
        group.create_task(bus.consume(executor_consumer("default"), on_attempt, in_flight=16, stopping=stopping))
        try:
            yield
        finally:
            stopping.set()


def success(emits: Sequence[Emitted] = (), **output: Any) -> Behaviour:
    """Succeed with this output and these events."""

    def answer(requested: AttemptRequested) -> Answer:
        now = datetime.now(UTC)
        return AttemptSucceeded(
            requested.run,
            requested.workflow,
            requested.step,
            requested.attempt,
            "test",
            now - timedelta(milliseconds=5),
            now,
            output,
            tuple(emits),
        )

    return answer


def failure_until(attempt: int) -> Behaviour:
    """Fail every attempt before this one."""

    def answer(requested: AttemptRequested) -> Answer:
        if requested.attempt >= attempt:
            return success(attempt=requested.attempt)(requested)
        now = datetime.now(UTC)
        return AttemptFailed(
            requested.run,
            requested.workflow,
            requested.step,
            requested.attempt,
            "test",
            now,
            now,
            "bad_output",
            f"attempt {requested.attempt} went wrong",
        )

    return answer


async def finished_cascade(bus: Bus, cascade: str, *, timeout_s: float = 20) -> Cascade:
    """The cascade, once it is done."""
    found: list[Cascade] = []

    async def is_done() -> bool:
        found[:] = [await read_cascade(bus, cascade)]
        return found[0].done

    await wait_until(is_done, timeout_s)
    return found[0]


async def requested_attempts(bus: Bus) -> list[AttemptRequested]:
    """Every attempt that was ever requested, in order."""
    filters = [bus.subjects.under("attempt", ">")]
    records = [read_record(message) async for message in bus.read(ATTEMPTS, filters)]
    return [record for record in records if isinstance(record, AttemptRequested)]
