"""The dispatchers' seal: shared by all of a namespace, whichever replica of the server answers."""

import msgspec

from loopy.bus.client import Bus
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.seal import shared_sealer
from loopy.bus.subjects import Subjects
from loopy.runs.records import AttemptRequested
from tests.support.facts import NOW, PLAN, Facts, event, step, workflow


async def bus_on(server: MemoryServer) -> Bus:
    """A bus with every stream."""
    bus = Bus(MemoryConnection(server, "test"), Subjects("unit"))
    await bus.provision()
    return bus


def requested(facts: Facts) -> AttemptRequested:
    """The first attempt of step a."""
    return AttemptRequested(facts.run, "w", "a", 1, PLAN, facts.event, {}, 60.0, NOW)


async def test_what_one_dispatcher_seals_another_knows_for_genuine() -> None:
    bus, facts = await bus_on(MemoryServer()), Facts(workflow(step("a")))
    one, other = await shared_sealer(bus), await shared_sealer(bus)
    success = msgspec.structs.replace(facts.succeeded("a"), carried=one.sealed(requested(facts)).carried)
    assert other.is_genuine(success)
    assert success.carried is not None
    forged = msgspec.structs.replace(success.carried, event=event(data={"title": "forged"}))
    assert not other.is_genuine(msgspec.structs.replace(success, carried=forged))


async def test_a_replica_that_lags_behind_is_not_asked_for_the_key() -> None:
    server, facts = MemoryServer(), Facts(workflow(step("a")))
    bus = await bus_on(server)
    server.lag = lambda _: 1
    one, other = await shared_sealer(bus), await shared_sealer(bus)
    assert other.is_genuine(msgspec.structs.replace(facts.succeeded("a"), carried=one.sealed(requested(facts)).carried))
