"""A dispatcher that has not heard yet of what somebody had a run do, and decides on the run's last result."""

from datetime import UTC, datetime

import msgspec
import pytest

from loopy.bus.client import Bus
from loopy.bus.codec import read_record, record_message
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.messages import Ack
from loopy.bus.plans import PlanStore
from loopy.bus.seal import Sealer
from loopy.bus.steering import Steering
from loopy.bus.streams import RUNS
from loopy.bus.subjects import Subjects
from loopy.clock import SystemClock
from loopy.compiler.plan import plan_hash
from loopy.runs.records import AttemptRequested, Carried, Record, RunCancelled, RunEnded, RunPaused, RunResumed
from loopy_services.dispatcher.performing import Performer
from loopy_services.dispatcher.runs import RunDecider
from tests.support.facts import Facts, plan, step, workflow

NOW = datetime.now(UTC)
FLOW = workflow(step("a"))
PLAN = plan(FLOW)
F = Facts(FLOW)
SEALER = Sealer(b"key")
STARTED = msgspec.structs.replace(F.started(), plan=plan_hash(PLAN))


def last_result() -> Record:
    """The success of the run's only step, with the seal of its request."""
    asked = AttemptRequested(F.run, FLOW.name, "a", 1, STARTED.plan, F.event, {}, 60.0, NOW)
    carried = Carried(asked.plan, asked.event, asked.inputs, SEALER.sealed(asked).seal)
    return msgspec.structs.replace(F.succeeded("a"), at=NOW, started_at=NOW, carried=carried)


async def ends_after(*facts: Record, times: int = 1) -> list[str]:
    """How the run ended once a dispatcher was given its last result, so often, which lies behind these facts."""
    bus = Bus(MemoryConnection(MemoryServer(), "test"), Subjects("t"))
    await bus.provision()
    result = last_result()
    for fact in (*facts, result):
        await bus.publish_once(record_message(bus.subjects, fact))
    plans, clock = PlanStore(bus, PLAN), SystemClock()
    decider = RunDecider(bus, plans, Performer(bus, plans, SEALER, clock), SEALER, Steering(bus), clock)
    for _ in range(times):
        message = await bus.last(RUNS, record_message(bus.subjects, result).subject)
        assert message is not None
        assert await decider.on_fact(message) == Ack()
    records = [read_record(message) async for message in bus.read(RUNS, [bus.subjects.journal(F.run)])]
    return [record.outcome for record in records if isinstance(record, RunEnded)]


@pytest.mark.parametrize(
    "said", [RunResumed(F.run, "w", 1, NOW, "ann", steps=("a",)), RunCancelled(F.run, "w", NOW, "ann")]
)
async def test_a_run_that_was_to_run_again_or_was_cancelled_is_not_ended_by_the_result_of_before(said: Record) -> None:
    assert await ends_after(STARTED, said) == []


async def test_a_paused_run_ends_by_its_last_result() -> None:
    assert await ends_after(STARTED, RunPaused(F.run, "w", 0, NOW, "ann")) == ["succeeded"]


async def test_a_run_that_nobody_steered_ends_without_a_look_at_its_journal() -> None:
    assert await ends_after() == ["succeeded"]


async def test_a_last_result_that_comes_again_ends_nothing_anew() -> None:
    assert await ends_after(STARTED, times=2) == ["succeeded"]
