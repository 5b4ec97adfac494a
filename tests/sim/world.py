"""One simulation: a server in memory, replicas of the real services, and everything that goes wrong, by one seed."""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from unittest.mock import patch

from loopy import events
from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.codec import Delivery, delivery_message
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.memory.stream import Kept, MemoryStream
from loopy.bus.messages import Outgoing, Stored
from loopy.bus.streams import BLOBS, EVENTS, stream_name
from loopy.bus.subjects import Subjects
from loopy.clock import VirtualClock
from loopy.kit.http import HttpServer
from loopy.runs import lateness
from loopy.runs.records import Event
from loopy_services.dispatcher.service import serve as dispatch
from tests.sim import large, roles
from tests.sim.entries import Due, Entry, Loss
from tests.sim.history import History
from tests.sim.keeping import LATE, Deletion, all_is_archived, janitors_of, keep_house
from tests.sim.leaning import UNBIASED, Leaning
from tests.sim.loop import Stuck, run_virtually
from tests.sim.people import People
from tests.sim.process import NAMESPACE, SETTINGS, Process, Role
from tests.sim.project import Project, project_of, with_limits
from tests.sim.quiet import quietly
from tests.sim.strangers import Strangers
from tests.sim.weather import CALM, Storm

START = datetime(2026, 11, 22, 11, 59, 30, tzinfo=UTC)
# Nothing new in any journal for so long, while messages are not dealt with, or no rest at all for longer than that.
SETTLE_MOST_S = 900.0
RESTLESS_MOST_S = 3600.0
SETTLED_LOOKS = 3
REPLICA_LAG_S = 0.5


class World:
    """Everything in one simulation."""

    def __init__(self, seed: int, leaning: Leaning) -> None:
        self.rng = random.Random(seed)
        self.leaning = leaning
        self.storm = leaning.weather(Storm.of(self.rng))
        project = project_of(self.rng, leaning)
        self.project: Project = with_limits(project, random.Random(f"limits {seed}"), leaning)
        self.clock = VirtualClock(START)
        self.server = MemoryServer(self.clock)
        self.server.lag = self._lag
        self.history = History(self.project.plan, Subjects(NAMESPACE), self.storm.skew_s)
        self.http = HttpServer(SETTINGS)
        people = random.Random(f"people {seed}")
        self.steered = people.random() < leaning.steered
        self.limits = large.limits_of(seed, leaning.large)
        self.operator = Bus(MemoryConnection(self.server, "operator"), self.history.subjects, self.limits)
        self.people = People(self.operator, self.project.plan, self.clock, people, leaning.cancelling)
        self.strangers = random.Random(f"strangers {seed}")
        self.stormy = True
        self.closing = False
        self.processes: list[Process] = []
        self.janitors = janitors_of(seed, leaning.janitors)
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
        if self.strangers.random() < self.leaning.lied_to:
            works.append(Strangers(self.server, self.clock, self.strangers, self.history).meddle())
        outside = [asyncio.create_task(work) for work in works]
        await asyncio.sleep(self.project.lasts_s)
        await self._calm_down()
        for work in outside:
            work.cancel()
        await self._settle()
        return self.history

    def _staff(self) -> None:
        staff: list[tuple[str, int, Role]] = [
            ("dispatcher", self._replicas(2), lambda _, host: dispatch(host)),
            ("executor", self._replicas(3), roles.executing),
            ("ingress", 1, roles.taking_in),
        ]
        if self.project.plan.schedules or "poll" in self.project.plan.sensors:
            staff.append(("scheduler", self._replicas(2), roles.scheduling))
        staff.append(("janitor", self.janitors, keep_house))
        self.processes = [Process(self, f"{name}{n}", role) for name, count, role in staff for n in range(count)]

    def _replicas(self, most: int) -> int:
        return self.rng.randint(min(self.leaning.replicas, most), most)

    def _note(self, stream: MemoryStream, kept: Kept) -> None:
        entries = self.history.entries
        given = large.whole(self.server.streams[stream_name(self.history.subjects, BLOBS)], self.history.subjects, kept)
        if given is None:
            self.history.without_value.add(len(entries))
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
        begun, quiet, looks = self.clock.monotonic(), 0, 0
        while quiet < SETTLED_LOOKS and self.clock.monotonic() < self._given_up_at(begun):
            await asyncio.sleep(1.0)
            looks += 1
            quiet = quiet + 1 if self._is_quiet() else 0
            # A paused run keeps its executors asking, so it has to be resumed before anything can come to rest.
            if self.steered and (quiet == SETTLED_LOOKS or looks % 10 == 1) and await self.people.tidy_up():
                quiet = 0
        self.history.settled = quiet >= SETTLED_LOOKS
        self.closing = True

    def _given_up_at(self, begun: float) -> float:
        """When it is told that this never came to rest: runs that wait for each other may take long, one by one."""
        newest = next((entry.time for entry in reversed(self.history.entries) if entry.stream == "RUN"), begun)
        return min(begun + RESTLESS_MOST_S, max(begun, newest) + SETTLE_MOST_S)

    def _is_quiet(self) -> bool:
        if self.janitors and not all_is_archived(self.history):
            return False
        durable = [consumer for consumer in self.server.consumers.values() if "durable_name" in consumer.config]
        return not self.server.timers and not any(consumer.pending or consumer.ack_pending for consumer in durable)


def simulate(seed: int, leaning: Leaning = UNBIASED) -> History:
    """The simulation of a seed; the same one, whenever it is asked for with the same leaning."""
    state = random.getstate()
    random.seed(seed)  # the jitter of retries is drawn from here, and names that nobody is to guess
    world = World(seed, leaning)
    events.bind(world.project.plan.events)
    try:
        late = LATE if world.janitors else lateness.LATE
        with quietly(), contextlib.suppress(Stuck), patch.object(lateness, "LATE", late):
            run_virtually(world.clock, world.run())
        return world.history
    finally:
        random.setstate(state)
