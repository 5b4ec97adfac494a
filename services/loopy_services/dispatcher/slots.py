"""Who may be under way: runs wait for their slots in order, take one after the other, and are admitted with the last.

After each change, and when nothing had to be changed, whoever made it sees to all that hold the slot then: so what a
crash left undone is done when its message comes again. A run that is over is never let in: it is taken out of a queue
that it came into too late, when its turn comes or somebody comes behind it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from loopy.bus.client import Bus
from loopy.bus.ending import store_end
from loopy.bus.facts import readable_facts
from loopy.bus.places import publish_record
from loopy.bus.plans import PlanStore
from loopy.bus.streams import RUNS, SLOTS
from loopy.bus.undecodable import Undecodable
from loopy.clock import Clock
from loopy.compiler.plan import Plan
from loopy.kit.metrics import LIMIT_REFUSALS, RUNS_ENDED, UNMEASURED, Metrics
from loopy.runs.records import RunAdmitted, RunEnded, RunFailed, Slot
from loopy.runs.slots import SLOT_QUEUE, Place, Queue, crowded_out, limits_of
from loopy_services.dispatcher.lines import Change, Enter, Leave, Line, Look, read_queue

MOST_LINES = 1_000
MOST_SEEN_TO = 20_000


class Slots:
    """Has runs wait for their slots, admits them, and lets others have what they held.

    How many may hold a slot at once is what this service's own plan says at the time.
    """

    def __init__(self, bus: Bus, plans: PlanStore, clock: Clock, metrics: Metrics = UNMEASURED) -> None:
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._plans = plans
        self._taken = asyncio.Event()
        self._limits: tuple[str, dict[str, int]] = ("", {})
        self._lines: OrderedDict[tuple[str, str], Line] = OrderedDict()
        self._seen_to: OrderedDict[tuple[str, str, Place], None] = OrderedDict()

    async def prepare(self, plan: Plan) -> Callable[[], None]:
        """What has all queues be seen to by a new plan, called once that is decided."""
        return self._taken.set

    async def follow(self) -> None:
        """See to every queue now, and whenever a plan was taken (it may raise limits); returns only when cancelled."""
        while True:
            self._taken.clear()
            await self._see_to_all()
            await self._taken.wait()

    async def _see_to_all(self) -> None:
        for message in await self._bus.last_each(SLOTS, [self._bus.subjects.under("slot", ">")]):
            try:
                queue = read_queue(message.payload)
            except Undecodable:
                continue
            if queue.places:
                await self._change(Slot(queue.name, queue.key, queue.limit), Look())

    async def enter(self, run: str, workflow: str, epoch: int, slots: tuple[Slot, ...]) -> bool:
        """Have a run wait for these slots, in this order; whether it does. It has failed where a queue is full."""
        first, *rest = slots
        queue = await self._change(first, Enter(Place(run, workflow, epoch, 0, tuple(rest))))
        if queue.place_of(run) is not None:
            return True
        if self._line(first).is_full(queue) and not await self._is_over(run, epoch):
            await self._end(crowded_out(run, workflow, queue, self._clock.now()))
        return False

    async def leave(self, run: str, epoch: int, slots: tuple[Slot, ...]) -> None:
        """Let others have what a run holds or waits for."""
        for slot in slots:
            await self._change(slot, Leave(run, epoch))

    async def _change(self, slot: Slot, change: Change) -> Queue:
        line, limit = self._line(slot), self._limit(slot)
        queue = await line.change(change, limit)
        while over := await self._first_that_is_over(queue):
            queue = await line.change(Leave(over.run, over.epoch), limit)
        return queue

    def _limit(self, slot: Slot) -> int:
        """How many may hold a slot; what the plan says no more of keeps the limit with which it was asked for."""
        if self._limits[0] != self._plans.own_hash:
            self._limits = (self._plans.own_hash, limits_of(self._plans.own))
        return self._limits[1].get(slot.name, slot.limit)

    async def _first_that_is_over(self, queue: Queue) -> Place | None:
        """See to each that holds the slot, until one turns out to be over; None when all are seen to."""
        for place in queue.holders:
            seen = (queue.name, queue.key, place)
            if seen in self._seen_to:
                continue
            if await self._is_over(place.run, place.epoch) or not await self._see_to(place):
                return place
            self._seen_to[seen] = None
            if len(self._seen_to) > MOST_SEEN_TO:
                self._seen_to.popitem(last=False)
        return None

    async def _see_to(self, place: Place) -> bool:
        """Have a run that holds a slot wait for its next one, or admit it; whether it may go on."""
        if place.left:
            return await self.enter(place.run, place.workflow, place.epoch, place.left)
        admitted = RunAdmitted(place.run, place.workflow, place.epoch, self._clock.now())
        await publish_record(self._bus, admitted)
        return True

    async def _end(self, ended: RunEnded) -> None:
        if (await store_end(self._bus, ended)).first:
            self._metrics.add(RUNS_ENDED, ended.workflow, ended.outcome)
            self._metrics.add(LIMIT_REFUSALS, SLOT_QUEUE)

    async def _is_over(self, run: str, epoch: int) -> bool:
        """Whether a run has ended, or failed in this epoch or later: then its slots are given back, or were."""
        subjects = self._bus.subjects
        facts = await self._bus.last_each(RUNS, [subjects.end(run), subjects.every("failed", run)])
        for record in readable_facts(subjects, facts):
            if isinstance(record, RunEnded) or (isinstance(record, RunFailed) and record.epoch >= epoch):
                return True
        return False

    def _line(self, slot: Slot) -> Line:
        name = (slot.name, slot.key)
        if name not in self._lines:
            self._lines[name] = Line(self._bus, Queue(slot.name, slot.key, slot.limit))
        self._lines.move_to_end(name)
        while len(self._lines) > MOST_LINES:
            self._lines.popitem(last=False)
        return self._lines[name]
