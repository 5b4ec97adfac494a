"""One replica of a service in a simulation: it dies, is cut off, and is started again."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from loopy.bus.client import Bus
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.subjects import Subjects
from loopy.clock import Clock
from loopy.kit.current_plan import CurrentPlan
from loopy.kit.service import Host
from loopy.kit.settings import Settings
from tests.sim.weather import CALM, SkewedClock, Weather

if TYPE_CHECKING:
    from tests.sim.world import World

NAMESPACE = "sim"
SETTINGS = Settings(nats_url="nats://127.0.0.1", slots=4, grace_s=2)

Role: TypeAlias = Callable[["World", Host], Awaitable[None]]


class Process:
    """One replica of a service, which may die at any moment and is started again by whoever runs it."""

    def __init__(self, world: "World", name: str, role: Role) -> None:
        self.name = name
        self._world = world
        self._role = role
        self._rng = random.Random(world.rng.random())
        self._skew_s = self._rng.uniform(-1, 1) * world.storm.skew_s
        self._lives = 0
        self.weather: Weather | None = None
        self.alive = False
        self.connection: MemoryConnection | None = None
        self._work: asyncio.Task[None] | None = None
        self.stopping = asyncio.Event()

    def start(self) -> None:
        """Begin a life, with a connection of its own."""
        world = self._world
        self._lives += 1
        self.alive = True
        storm = world.storm if world.stormy else CALM
        life = f"{self.name}.{self._lives}"
        self.weather = Weather(storm, self._rng, world.clock, self.crash, partial(world.lose, self.name))
        self.connection = MemoryConnection(world.server, life, self.weather)
        self.stopping = asyncio.Event()
        clock: Clock = SkewedClock(world.clock, self._skew_s) if self._skew_s else world.clock
        host = Host(
            name=life,
            settings=SETTINGS,
            bus=Bus(self.connection, Subjects(NAMESPACE), world.limits),
            project=Path(),
            current=CurrentPlan(world.project.plan),
            clock=clock,
            http=world.http,
            stopping=self.stopping,
            is_ready=asyncio.Event(),
        )
        self._work = asyncio.get_running_loop().create_task(self._live(host))

    def crash(self) -> None:
        """Die: nothing more is sent or received, whatever was in hand is lost."""
        if not self.alive or self._work is None or self.connection is None:
            return
        self.alive = False
        self.connection.abandon()
        self._work.cancel()
        self._world.lose(self.name, "crashed")
        asyncio.get_running_loop().call_later(self._rng.choice([0.1, 2.0, 15.0]), self._again)

    def cut_off(self, until: float) -> None:
        """Reach the server no more until this moment of the loop; what is under way from it is not lost."""
        if self.alive and self.weather is not None and self.connection is not None:
            self.weather.away_until = until
            self.connection.generation += 1

    async def stop(self) -> None:
        """End gracefully."""
        self.stopping.set()
        if self._work is not None and self.alive:
            await asyncio.wait([self._work])

    def _again(self) -> None:
        if not self._world.closing:
            self.start()

    async def _live(self, host: Host) -> None:
        try:
            await self._role(self._world, host)
        except Exception as error:  # noqa: BLE001  whatever it is, a service may not end by itself
            if self.alive:
                self._world.history.failures.append(f"{host.name} failed: {type(error).__name__}: {error}")
                self.crash()
