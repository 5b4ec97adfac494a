"""An attempt whose result waits to be stored is not begun by anybody else, on a bus in memory."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from loopy.agents.installed import Runtimes
from loopy.bus.client import Bus
from loopy.bus.codec import record_message
from loopy.bus.leases import Lease, Leases
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.messages import Ack, Message, Outgoing, RetryAfter, Stored, Verdict
from loopy.bus.plans import PlanStore
from loopy.bus.steering import Steering
from loopy.bus.streams import LEASES, RUNS
from loopy.bus.subjects import Subjects
from loopy.clock import SystemClock
from loopy.compiler.plan import Agent, plan_hash
from loopy.runs.records import AttemptRequested
from loopy.sandboxes.installed import Providers
from loopy_services.executor.execution import Execution
from loopy_services.executor.service import Executor
from tests.support.facts import Facts, plan, step, workflow
from tests.support.waiting import wait_until

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FLOW = workflow(step("a"))
PLAN = msgspec.structs.replace(plan(FLOW), agents={"A": Agent("A", "anthropic", model="none")})
F = Facts(FLOW)
SUBJECTS = Subjects("unit")
RESULT = SUBJECTS.result(F.run, "a", 0, 1)
LEASE_S = 1


class SlowBus(Bus):
    """A bus that takes its time over results, as over a large one, until `go` is set."""

    def __init__(self, server: MemoryServer) -> None:
        super().__init__(MemoryConnection(server, "slow"), SUBJECTS)
        self.storing, self.go = asyncio.Event(), asyncio.Event()

    async def publish_once(self, message: Outgoing) -> Stored:
        """As a bus does, but for results."""
        if message.subject == RESULT:
            self.storing.set()
            await self.go.wait()
        return await super().publish_once(message)


async def handling(bus: Bus, directory: Path) -> asyncio.Task[Verdict]:
    """An executor at work on the first attempt of a step."""
    await bus.provision()
    execution = Execution(directory, Runtimes(), Providers(directory), rehearse=True)
    executor = Executor("x", bus, PlanStore(bus, PLAN), execution, SystemClock(), LEASE_S, Steering(bus))
    sent = record_message(
        bus.subjects, AttemptRequested(F.run, FLOW.name, "a", 1, plan_hash(PLAN), F.event, {}, 60.0, datetime.now(UTC))
    )
    return asyncio.create_task(executor.handle(Message("ATTEMPT", sent.subject, sent.payload, {}, 1, NOW)))


async def test_the_lease_is_renewed_until_the_result_is_stored(tmp_path: Path) -> None:
    server = MemoryServer()
    slow, others = SlowBus(server), Bus(MemoryConnection(server, "others"), SUBJECTS)
    at_work = await handling(slow, tmp_path)
    await wait_until(slow.storing.is_set)

    async def renewed_for_twice_its_time() -> bool:
        assert await Leases(others, SystemClock(), "others", LEASE_S).take(F.run, "a", 0, 1) is None
        return await others.position(LEASES) > 6

    await wait_until(renewed_for_twice_its_time)
    slow.go.set()
    assert await at_work == Ack()
    assert await others.last(RUNS, RESULT) is not None


async def test_a_result_is_not_stored_any_more_once_the_lease_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(_: Lease) -> bool:
        return False

    server = MemoryServer()
    slow = SlowBus(server)
    at_work = await handling(slow, tmp_path)
    await wait_until(slow.storing.is_set)
    monkeypatch.setattr(Lease, "renew", lost)
    assert isinstance(await at_work, RetryAfter)
    slow.go.set()
    assert await slow.last(RUNS, RESULT) is None
