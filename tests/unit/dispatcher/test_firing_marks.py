"""The mark that a firing's run succeeded: set by whoever finds the run's end, whatever a lagging replica says."""

import msgspec
import pytest

from loopy.bus.client import Bus
from loopy.bus.codec import record_message
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.memory.stream import MemoryStream
from loopy.bus.messages import Outgoing
from loopy.bus.plans import PlanStore
from loopy.bus.seal import Sealer
from loopy.bus.streams import EVENTS
from loopy.bus.subjects import Subjects
from loopy.clock import VirtualClock
from loopy.compiler.plan import CronTrigger
from loopy.runs.effects import EndRun
from loopy.runs.records import RunEnded
from loopy.runs.route import firing_event
from loopy_services.dispatcher.performing import Performer
from tests.support.facts import NOW, Facts, at, plan, step, workflow

NIGHTLY = workflow(step("a"), name="nightly", on=CronTrigger("0 0 * * *"))
F = Facts(NIGHTLY, firing_event("nightly", NOW, None))
ENDED = RunEnded(F.run, "nightly", "succeeded", NOW)


async def performing(server: MemoryServer) -> tuple[Bus, Performer]:
    bus = Bus(MemoryConnection(server, "test"), Subjects("unit"))
    await bus.provision()
    return bus, Performer(bus, PlanStore(bus, plan(NIGHTLY)), Sealer(b"key"), VirtualClock(at(3600)))


def lagging(server: MemoryServer, stream: str, reads: int) -> None:
    """Have the next direct reads of a stream miss its newest message."""
    left = [reads]

    def lag(of: MemoryStream) -> int:
        if not of.name.endswith(stream) or not left[0]:
            return 0
        left[0] -= 1
        return 1

    server.lag = lag


async def test_a_mark_is_set_after_a_crash_though_a_replica_has_not_got_the_end_yet() -> None:
    server = MemoryServer()
    bus, performer = await performing(server)
    await bus.publish_once(record_message(bus.subjects, ENDED))
    lagging(server, "RUN", 3)
    await performer.perform(F.started(), [EndRun(ENDED)])
    mark = bus.subjects.firing_done("nightly", int(NOW.timestamp()))
    assert await bus.last(EVENTS, mark) is not None


async def test_an_older_mark_is_not_set_behind_a_newer_one_that_a_replica_has_not_got_yet() -> None:
    server = MemoryServer()
    bus, performer = await performing(server)
    newer = bus.subjects.firing_done("nightly", int(NOW.timestamp()) + 60)
    await bus.publish_once(Outgoing(newer, b"{}"))
    lagging(server, "EVT", 3)
    await performer.perform(F.started(), [EndRun(ENDED)])
    newest = await bus.last(EVENTS, bus.subjects.under("firing", "done", "nightly", "*"))
    assert newest is not None
    assert newest.subject == newer


@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
async def test_no_mark_is_set_where_another_outcome_stands(outcome: str) -> None:
    bus, performer = await performing(MemoryServer())
    stands = msgspec.structs.replace(ENDED, outcome=outcome)
    await bus.publish_once(record_message(bus.subjects, stands))
    await performer.perform(F.started(), [EndRun(ENDED)])
    assert await bus.last_each(EVENTS, [bus.subjects.under("firing", "done", ">")]) == []
