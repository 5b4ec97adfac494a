"""The timer of an attempt, and a replica of the server that has yet to learn what it is about."""

import msgspec

from loopy.bus.client import Bus
from loopy.bus.codec import record_message
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.messages import Ack, Message, RetryAfter
from loopy.bus.plans import PlanStore
from loopy.bus.seal import shared_sealer
from loopy.bus.steering import Steering
from loopy.bus.streams import ATTEMPTS
from loopy.bus.subjects import Subjects
from loopy.clock import SystemClock
from loopy.compiler.plan import plan_hash
from loopy.runs.records import Record
from loopy_services.dispatcher.core import DueAttempt
from loopy_services.dispatcher.performing import Performer
from loopy_services.dispatcher.runs import RunDecider
from tests.support.facts import NOW, Facts, plan, step, workflow

FLOW = workflow(step("a"))
F = Facts(FLOW)


async def test_the_timer_of_an_epoch_that_is_not_seen_yet_is_patient() -> None:
    bus = Bus(MemoryConnection(MemoryServer(), "test"), Subjects("t"))
    await bus.provision()
    of = plan(FLOW)
    plans, clock, sealer = PlanStore(bus, of), SystemClock(), await shared_sealer(bus)
    decider = RunDecider(bus, plans, Performer(bus, plans, sealer, clock), sealer, Steering(bus), clock)
    await plans.store()
    started = msgspec.structs.replace(F.started(), plan=plan_hash(of))
    await _publish(bus, started, F.failed("a"))
    due = DueAttempt(F.run, "a", 1, 2)
    place = bus.subjects.fire(due.run, due.step, due.epoch, due.attempt)
    fired = Message("TIMER", place, msgspec.json.encode(due), {}, 1, NOW, deliveries=1)
    assert isinstance(await decider.on_timer(fired), RetryAfter)
    again = msgspec.structs.replace(F.failed("a"), epoch=1)
    await _publish(bus, F.resumed(1, "a"), again)
    assert await decider.on_timer(fired) == Ack()
    assert await bus.last(ATTEMPTS, bus.subjects.attempt("default", F.run, "a", 1, 2)) is not None


async def _publish(bus: Bus, *records: Record) -> None:
    for record in records:
        await bus.publish_once(record_message(bus.subjects, record))
