"""Two messages on the subject of one event: the first stands, in whichever order they are handled."""

from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.control import Control
from loopy.bus.dead import DeadMessage
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.messages import Ack, DeadLetter
from loopy.bus.plans import PlanStore
from loopy.bus.replaying import original_of, replay_message
from loopy.bus.seal import shared_sealer
from loopy.bus.steering import Steering
from loopy.bus.streams import EVENTS
from loopy.bus.subjects import Subjects
from loopy.clock import SystemClock
from loopy_services.dispatcher.events import EventRouter
from loopy_services.dispatcher.performing import Performer
from loopy_services.dispatcher.runs import RunDecider
from tests.support.facts import event, plan, step, workflow


async def test_the_second_message_is_set_aside_although_it_is_handled_first_and_again_when_it_is_replayed() -> None:
    bus = Bus(MemoryConnection(MemoryServer(), "test"), Subjects("t"))
    await bus.provision()
    first = event_message(bus.subjects, event("e1"))
    await bus.publish_once(first)
    await bus._connection.request(first.subject, b'{"title": "other"}')
    [ours, theirs] = [message async for message in bus.read(EVENTS, [first.subject])]

    of = plan(workflow(step("a")))
    plans, clock, sealer = PlanStore(bus, of), SystemClock(), await shared_sealer(bus)
    decider = RunDecider(bus, plans, Performer(bus, plans, sealer, clock), sealer, Steering(bus), clock)
    router = EventRouter(bus, plans, decider, clock, Control(bus))
    verdict = await router.on_event(theirs)
    assert isinstance(verdict, DeadLetter)
    assert verdict.reason == "duplicate_event"
    dead = DeadMessage.of(theirs, verdict, theirs.time)
    put_back = replay_message(bus.subjects, dead)
    await bus.publish_once(put_back)
    [replayed] = [message async for message in bus.read(EVENTS, [put_back.subject])]
    assert await router.on_event(original_of(bus.subjects, replayed)) == verdict
    assert await router.on_event(ours) == Ack()
