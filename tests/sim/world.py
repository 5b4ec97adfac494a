"""One simulation: a server in memory, replicas of the real services, and everything that goes wrong, by one seed."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from unittest.mock import patch

from loopy import events
from loopy.authoring import Request, Tick
from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.codec import Delivery, delivery_message
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.memory.stream import Kept, MemoryStream
from loopy.bus.messages import Outgoing, Stored
from loopy.bus.plans import PlanStore
from loopy.bus.steering import Steering
from loopy.bus.streams import BLOBS, EVENTS, INGRESS_DELIVERIES, INGRESS_POLLS, executor_consumer, stream_name
from loopy.bus.subjects import Subjects
from loopy.clock import Clock, VirtualClock
from loopy.kit.current_plan import CurrentPlan
from loopy.kit.http import HttpServer
from loopy.kit.service import Host
from loopy.kit.settings import Settings
from loopy.runs import lateness
from loopy.runs.records import Event
from loopy.sandboxes.installed import Providers
from loopy_services.dispatcher.service import serve as dispatch
from loopy_services.executor.execution import Execution
from loopy_services.executor.service import Executor
from loopy_services.ingress.calls import Caller
from loopy_services.ingress.sensing import Sensing
from loopy_services.ingress.sensors import LoadedSensor
from loopy_services.scheduler.service import serve as schedule
from tests.sim import large
from tests.sim.agents import OneRuntime, SimulatedAgent
from tests.sim.entries import Due, Entry, Loss
from tests.sim.history import History
from tests.sim.keeping import LATE, Deletion, all_is_archived, janitors_of, keep_house
from tests.sim.loop import Stuck, run_virtually
from tests.sim.people import People
from tests.sim.project import Project, project_of
from tests.sim.quiet import quietly
from tests.sim.strangers import Strangers
from tests.sim.weather import CALM, SkewedClock, Storm, Weather

START = datetime(2026, 11, 22, 11, 59, 30, tzinfo=UTC)
NAMESPACE = "sim"
SETTLE_MOST_S = 900.0
SETTLED_LOOKS = 3
# In so many simulations people steer the runs.
STEERED = 0.5
# In so many strangers write into the journals of runs.
LIED_TO = 0.2
REPLICA_LAG_S = 0.5
SETTINGS = Settings(nats_url="nats://127.0.0.1", slots=4, grace_s=2)

Role: TypeAlias = Callable[["World", Host], Awaitable[None]]


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


class World:
    """Everything in one simulation."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.storm = Storm.of(self.rng)
        self.project: Project = project_of(self.rng)
        self.clock = VirtualClock(START)
        self.server = MemoryServer(self.clock)
        self.server.lag = self._lag
        self.history = History(self.project.plan, Subjects(NAMESPACE), self.storm.skew_s)
        self.http = HttpServer(SETTINGS)
        people = random.Random(f"people {seed}")
        self.steered = people.random() < STEERED
        self.limits = large.limits_of(seed)
        self.operator = Bus(MemoryConnection(self.server, "operator"), self.history.subjects, self.limits)
        self.people = People(self.operator, self.project.plan, self.clock, people)
        self.strangers = random.Random(f"strangers {seed}")
        self.stormy = True
        self.closing = False
        self.processes: list[Process] = []
        self.janitors = janitors_of(seed)
        self.history.is_kept = bool(self.janitors)

    def lose(self, process: str, what: str) -> None:
        """Write down that something broke."""
        self.history.losses.append(Loss(self.clock.monotonic(), process, what))

    async def run(self) -> History:
        """Let it all happen, then let it settle."""
        await self.operator.provision()
        for stream in self.server.streams.values():
            stream.watchers.insert(0, partial(self._note, stream))
            stream.mourners.append(partial(self._mourn, stream))
        self._staff()
        for process in self.processes:
            process.start()
        works = [self._offer(), self._forget(), self._outages()]
        if self.steered:
            works.append(self.people.meddle())
        if self.strangers.random() < LIED_TO:
            works.append(Strangers(self.server, self.clock, self.strangers, self.history).meddle())
        outside = [asyncio.create_task(work) for work in works]
        await asyncio.sleep(self.project.lasts_s)
        await self._calm_down()
        for work in outside:
            work.cancel()
        await self._settle()
        return self.history

    def _staff(self) -> None:
        roles: list[tuple[str, int, Role]] = [
            ("dispatcher", self.rng.randint(1, 2), lambda _, host: dispatch(host)),
            ("executor", self.rng.randint(1, 3), _execute),
            ("ingress", 1, _ingress),
        ]
        if self.project.plan.schedules or "poll" in self.project.plan.sensors:
            roles.append(("scheduler", self.rng.randint(1, 2), _schedule))
        roles.append(("janitor", self.janitors, keep_house))
        self.processes = [Process(self, f"{name}{n}", role) for name, count, role in roles for n in range(count)]

    def _note(self, stream: MemoryStream, kept: Kept) -> None:
        entries = self.history.entries
        given = large.whole(self.server.streams[stream_name(self.history.subjects, BLOBS)], self.history.subjects, kept)
        if given is None:
            self.history.without_value.append(kept.subject)
        entries.append(Entry(len(entries), self.clock.monotonic(), stream.name.partition("_")[2], given or kept))

    def _mourn(self, stream: MemoryStream, kept: Kept) -> None:
        entries = self.history.entries
        self.history.deletions.append(Deletion(len(entries), stream.name.partition("_")[2], kept))

    def _lag(self, stream: MemoryStream) -> int:
        """How many of the newest messages a read misses: at most those of the last moment."""
        if not self.stormy or self.rng.random() >= self.storm.stale:
            return 0
        now, missed = self.clock.now(), 0
        for kept in reversed(stream.messages.values()):
            if (now - kept.time).total_seconds() > REPLICA_LAG_S:
                break
            missed += 1
        return missed

    async def _offer(self) -> None:
        """The outside world: events, deliveries and nonsense, all of it perhaps more than once."""
        bus = Bus(MemoryConnection(self.server, "client"), self.history.subjects, self.limits)
        offers = [offer for offer in self._offers() for _ in range(self.rng.choice([1, 1, 2, 3]))]
        self.rng.shuffle(offers)
        for offer in offers:
            await asyncio.sleep(self.rng.uniform(0, self.project.lasts_s / 2 / len(offers)))
            stored = await bus.publish_once(offer) if offer.headers else self._publish_plainly(offer)
            identity = offer.subject.rpartition(".")[2]
            if identity in self.project.planted:
                self.history.planted.add(stored.sequence)
            elif identity in self.project.twins and stored.first:
                twin = self._events.store(offer.subject, b'{"n": 1000}', {}, self.clock.now())
                self.history.planted.add(twin.sequence)

    def _publish_plainly(self, offer: Outgoing) -> Stored:
        """Publish as a stranger does who asks for nothing, but not what is there already."""
        there = self._events.last(offer.subject)
        kept = there or self._events.store(offer.subject, offer.payload, {}, self.clock.now())
        return Stored(kept.sequence, first=there is None)

    @property
    def _events(self) -> MemoryStream:
        return self.server.streams[stream_name(self.history.subjects, EVENTS)]

    def _offers(self) -> Iterator[Outgoing]:
        subjects = self.history.subjects
        for identity in self.project.begins:
            event = Event(identity, "Begin", "/outside", START, {"n": self.rng.randint(0, 9)}, identity)
            whole = event_message(subjects, event)
            yield whole if self.rng.random() < 0.7 else Outgoing(whole.subject, whole.payload)
        for identity in self.project.deliveries:
            yield delivery_message(subjects, Delivery("hook", identity, "/hook", {}, {}, b"{}", START))
        for identity in self.project.planted:
            yield Outgoing(subjects.event("Begin", identity), b'{"n": "no number"}')

    async def _forget(self) -> None:
        """Have the server forget, now and then, what was acknowledged to it."""
        if not self.storm.forget_every_s:
            return
        while True:
            await asyncio.sleep(self.rng.uniform(0.5, 1.5) * self.storm.forget_every_s)
            (stream, _), consumer = self.rng.choice(list(self.server.consumers.items()))
            if "durable_name" in consumer.config:
                consumer.forget(max(0, self.server.streams[stream].last_sequence - self.rng.randint(0, 8)))
                self.lose("server", "forgot")

    async def _outages(self) -> None:
        """Have the server be away, now and then; when it is back, all connections are new."""
        while self.storm.away_every_s:
            await asyncio.sleep(self.rng.uniform(0.5, 1.5) * self.storm.away_every_s)
            back = self.clock.monotonic() + self.rng.uniform(0.5, 12.0)
            self.lose("server", "went away")
            for process in self.processes:
                process.cut_off(back)

    async def _calm_down(self) -> None:
        """From here on nothing goes wrong any more, and nothing new is due."""
        self.stormy = False
        for process in self.processes:
            if process.weather is not None:
                process.weather.storm = CALM
        schedulers = [process for process in self.processes if process.name.startswith("scheduler")]
        await asyncio.sleep(65.0 if schedulers else 0.0)
        for process in schedulers:
            await process.stop()
        self.history.scheduling = Due(START, self.clock.now()) if schedulers else None

    async def _settle(self) -> None:
        """Wait until every message has been dealt with."""
        deadline, quiet, looks = self.clock.monotonic() + SETTLE_MOST_S, 0, 0
        while quiet < SETTLED_LOOKS and self.clock.monotonic() < deadline:
            await asyncio.sleep(1.0)
            looks += 1
            quiet = quiet + 1 if self._is_quiet() else 0
            # A paused run keeps its executors asking, so it has to be resumed before anything can come to rest.
            if self.steered and (quiet == SETTLED_LOOKS or looks % 10 == 1) and await self.people.tidy_up():
                quiet = 0
        self.history.settled = quiet >= SETTLED_LOOKS
        self.closing = True

    def _is_quiet(self) -> bool:
        if self.janitors and not all_is_archived(self.history):
            return False
        durable = [consumer for consumer in self.server.consumers.values() if "durable_name" in consumer.config]
        return not self.server.timers and not any(consumer.pending or consumer.ack_pending for consumer in durable)


async def _schedule(world: World, host: Host) -> None:
    await schedule(host)


async def _execute(world: World, host: Host) -> None:
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


async def _ingress(world: World, host: Host) -> None:
    sensors = {name: LoadedSensor(declared, sense) for name, declared in host.plan.sensors.items()}
    sensing = Sensing(host.bus, host.clock, host.project, host.plan, sensors, Direct())
    async with asyncio.TaskGroup() as group:
        for consumer, handler in ((INGRESS_DELIVERIES, sensing.on_delivery), (INGRESS_POLLS, sensing.on_poll)):
            group.create_task(host.bus.consume(consumer, handler, in_flight=4, stopping=host.stopping, grace_s=2))


def simulate(seed: int) -> History:
    """The simulation of a seed; the same one, whenever it is asked for."""
    state = random.getstate()
    random.seed(seed)  # the jitter of retries is drawn from here, and names that nobody is to guess
    world = World(seed)
    events.bind(world.project.plan.events)
    try:
        late = LATE if world.janitors else lateness.LATE
        with quietly(), contextlib.suppress(Stuck), patch.object(lateness, "LATE", late):
            run_virtually(world.clock, world.run())
        return world.history
    finally:
        random.setstate(state)
