"""The dispatcher: events become runs, and runs become attempts. Any number of replicas do the work together."""

import asyncio

from loopy.bus.plans import PlanStore
from loopy.bus.seal import shared_sealer
from loopy.bus.steering import Steering
from loopy.bus.streams import DISPATCHER_EVENTS, DISPATCHER_RUNS, DISPATCHER_TIMERS
from loopy.kit.service import Host
from loopy_services.dispatcher.events import EventRouter
from loopy_services.dispatcher.performing import Performer
from loopy_services.dispatcher.recovery import ask_again
from loopy_services.dispatcher.runs import RunDecider

IN_FLIGHT = 128


async def serve(host: Host) -> None:
    """Dispatch until told to stop."""
    bus, grace_s = host.bus, host.settings.grace_s
    plans = PlanStore(bus, host.plan)
    await plans.store()
    sealer, steering = await shared_sealer(bus), Steering(bus)
    await steering.load()
    performer = Performer(bus, plans, sealer, host.clock, host.metrics, host.tracer)
    await performer.spending.load()
    decider = RunDecider(bus, plans, performer, sealer, steering, host.clock)
    router = EventRouter(bus, plans, decider, host.clock, steering.control, host.metrics)
    work = (
        (DISPATCHER_EVENTS, router.on_event),
        (DISPATCHER_RUNS, decider.on_fact),
        (DISPATCHER_TIMERS, decider.on_timer),
    )
    if host.settings.durability == "power-loss":
        await ask_again(bus, decider)
    async with asyncio.TaskGroup() as group:
        following = (steering, performer.spending, performer.slots)
        beside = [group.create_task(each.follow()) for each in following]
        consuming = [
            group.create_task(
                bus.consume(consumer, handler, in_flight=IN_FLIGHT, stopping=host.stopping, grace_s=grace_s)
            )
            for consumer, handler in work
        ]
        host.current.prepared_by(plans.prepare)
        host.current.prepared_by(performer.slots.prepare)
        host.ready()
        await asyncio.wait(consuming)
        for task in beside:
            task.cancel()
