"""What the processes of a simulation are: the real services, with agents and sensors of the simulation."""

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from loopy import events
from loopy.authoring import Request, Tick
from loopy.bus.plans import PlanStore
from loopy.bus.steering import Steering
from loopy.bus.streams import INGRESS_DELIVERIES, INGRESS_POLLS, executor_consumer
from loopy.kit.service import Host
from loopy.sandboxes.installed import Providers
from loopy_services.executor.execution import Execution
from loopy_services.executor.service import Executor
from loopy_services.ingress.calls import Caller
from loopy_services.ingress.sensing import Sensing
from loopy_services.ingress.sensors import LoadedSensor
from loopy_services.scheduler.service import serve as schedule
from tests.sim.agents import OneRuntime, SimulatedAgent

if TYPE_CHECKING:
    from tests.sim.world import World


class Direct(Caller):
    """Calls sensors where they are, instead of in threads."""

    def __init__(self) -> None:
        """Nothing is started."""

    async def call(self, function: Callable[[Any], Any], argument: Any, *, timeout_s: float) -> list[Any]:
        """What the function gives."""
        return [function(argument)]


def sense(argument: Request | Tick) -> events.TypedEvent:
    """The sensor of every project: one event for a delivery or a tick."""
    begin: events.TypedEvent = events.Begin(n=5)
    return begin


async def scheduling(world: "World", host: Host) -> None:
    await schedule(host)


async def executing(world: "World", host: Host) -> None:
    rng = random.Random(world.rng.random())
    agent = SimulatedAgent(host.name, rng, world.history, world.storm.failing, world.storm.slow)
    execution = Execution(host.project, OneRuntime(agent), Providers(host.project), rehearse=False)
    plans, steering = PlanStore(host.bus, host.plan), Steering(host.bus)
    await steering.load()
    executor = Executor(host.name, host.bus, plans, execution, host.clock, host.settings.lease_s, steering)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(steering.follow())
        await host.bus.consume(
            executor_consumer("default"),
            executor.handle,
            in_flight=host.settings.slots,
            stopping=host.stopping,
            grace_s=host.settings.grace_s,
        )
        following.cancel()


async def taking_in(world: "World", host: Host) -> None:
    sensors = {name: LoadedSensor(declared, sense) for name, declared in host.plan.sensors.items()}
    sensing = Sensing(host.bus, host.clock, host.project, host.plan, sensors, Direct())
    async with asyncio.TaskGroup() as group:
        for consumer, handler in ((INGRESS_DELIVERIES, sensing.on_delivery), (INGRESS_POLLS, sensing.on_poll)):
            group.create_task(host.bus.consume(consumer, handler, in_flight=4, stopping=host.stopping, grace_s=2))
