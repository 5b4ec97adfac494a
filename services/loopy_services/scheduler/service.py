"""The scheduler: fires schedules and polls when they are due, and keeps house beside it.

Any number of replicas fire each due time once, and archive each run once.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import msgspec
import structlog

from loopy.bus.client import Bus
from loopy.bus.codec import Firing, poll_firing_message
from loopy.bus.messages import Stored
from loopy.bus.plans import PlanStore
from loopy.clock import Clock
from loopy.compiler.plan import CronTrigger, Plan, PollSource
from loopy.kit.current_plan import Take
from loopy.kit.metrics import FIRINGS, UNMEASURED, Metrics
from loopy.kit.service import Host
from loopy_services.scheduler.core import digest, due, due_poll, next_look, was_set_back
from loopy_services.scheduler.janitor import Janitor
from loopy_services.scheduler.marks import Mark, Marks

log = structlog.get_logger()

Timed = TypeVar("Timed", CronTrigger, PollSource)


async def serve(host: Host) -> None:
    """Fire and keep house until told to stop."""
    scheduler = Scheduler(host.bus, host.plan, host.metrics)
    await scheduler.start(host.clock.now())
    await PlanStore(host.bus, host.plan).store()
    janitor = Janitor(host.bus, host.clock, timedelta(days=host.settings.keep_days), host.metrics)
    host.current.prepared_by(lambda plan: scheduler.prepare(plan, host.clock.now()))
    host.ready()
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(janitor.run())
        while not host.stopping.is_set():
            wake_at = await scheduler.fire(host.clock.now())
            await _sleep(host.clock, wake_at, host.stopping, scheduler.changed)
        keeping.cancel()


class Armed(msgspec.Struct, frozen=True):
    """The schedules and polls of one plan, and for each the instant behind which its due times are open."""

    schedules: dict[str, CronTrigger]
    polls: dict[str, PollSource]
    schedules_since: dict[str, datetime] = {}
    polls_since: dict[str, datetime] = {}

    @classmethod
    def of(cls, plan: Plan) -> "Armed":
        """Those of a plan, of which it is not known yet how far they have got."""
        polls = {name: s.source for name, s in plan.sensors.items() if isinstance(s.source, PollSource)}
        return cls(plan.schedules, polls)


class Scheduler:
    """Fires what is armed. `changed` is set while there is a plan that it has not looked at yet."""

    def __init__(self, bus: Bus, plan: Plan, metrics: Metrics = UNMEASURED) -> None:
        self.changed = asyncio.Event()
        self._bus = bus
        self._metrics = metrics
        self._marks = Marks(bus)
        self._armed = Armed.of(plan)

    async def start(self, now: datetime) -> None:
        """Find out where each schedule and poll has got to; one that was never seen counts from now."""
        self._armed.schedules_since.clear()
        self._armed.polls_since.clear()
        await self._find_out(self._armed, now)

    async def prepare(self, plan: Plan, now: datetime) -> Take:
        """Find out the same for a new plan. One whose times have changed counts from when these were first seen."""
        armed, before = Armed.of(plan), self._armed
        armed.schedules_since.update(_unchanged(before.schedules, before.schedules_since, armed.schedules))
        armed.polls_since.update(_unchanged(before.polls, before.polls_since, armed.polls))
        await self._find_out(armed, now)
        return partial(self._take, armed)

    def _take(self, armed: Armed) -> None:
        self._armed = armed
        self.changed.set()

    async def _find_out(self, armed: Armed, now: datetime) -> None:
        """Ask the bus about each of which it is not known yet."""
        for name, trigger in armed.schedules.items():
            if name not in armed.schedules_since:
                armed.schedules_since[name] = await self._marks.counts_from("cron", name, trigger, now)
        for name, source in armed.polls.items():
            if name not in armed.polls_since:
                armed.polls_since[name] = await self._marks.counts_from("poll", name, source, now)

    async def fire(self, now: datetime) -> datetime:
        """Fire all that is due; the instant at which to look again.

        When the clock has been set back, the marks say anew what was fired by the time that it shows now.
        A plan that is taken meanwhile is looked at the next time.
        """
        self.changed.clear()
        armed = self._armed
        if any(was_set_back(since, now) for since in (*armed.schedules_since.values(), *armed.polls_since.values())):
            log.warning("clock.set_back", now=now.isoformat())
            await self.start(now)
        held = False
        for name, trigger in armed.schedules.items():
            if not self.changed.is_set():
                held |= await self._fire_schedule(name, trigger, armed.schedules_since, now)
        for name, source in armed.polls.items():
            if not self.changed.is_set():
                await self._fire_poll(name, source, armed.polls_since, now)
        return next_look(armed.schedules.values(), armed.polls.values(), now, held=held)

    async def _fire_schedule(
        self, name: str, trigger: CronTrigger, all_since: dict[str, datetime], now: datetime
    ) -> bool:
        """Fire or pass over what is due of a schedule; whether some of it is held until a run has ended."""
        since = all_since[name]
        if due(trigger, since, now, under_way=False).is_empty:
            return False
        last = await self._marks.newest_mark("cron", name, now)
        under_way = trigger.overlap != "allow" and await self._marks.under_way(name, last.at)
        since = all_since[name] = await self._marks.dealt_with(name, since, now)
        now_due = due(trigger, since, now, under_way=under_way)
        if now_due.passed is not None:
            await self._marks.pass_over(name, now_due.passed)
            all_since[name] = now_due.passed
            log.info("firing.passed", schedule=name, scheduled_at=now_due.passed.isoformat(), under_way=under_way)
        for at in now_due.fire:
            stored = await self._publish_firing(name, at, now, None if trigger.overlap == "allow" else last)
            if stored is None:
                return True  # there is a newer one, whose run may be under way: decide anew
            all_since[name] = at
            last = Mark(at, max(last.sequence, stored.sequence))
        return now_due.held

    async def _publish_firing(self, name: str, at: datetime, now: datetime, after: Mark | None) -> Stored | None:
        """Fire a due time; None when there is a firing behind `after`: another's, or ours if its answer was lost."""
        firing = Firing(name, at, await self._marks.newest("done", name, now))
        stored = await self._marks.fire(firing, after)
        if stored is not None and stored.first:
            self._metrics.add(FIRINGS, "cron", name)
            log.info("firing.published", schedule=name, scheduled_at=at.isoformat())
        return stored

    async def _fire_poll(self, name: str, source: PollSource, all_since: dict[str, datetime], now: datetime) -> None:
        at = due_poll(source, all_since[name], now)
        if at is None:
            return
        firing = Firing(name, at, await self._marks.newest("polled", name, now))
        if (await self._bus.publish_once(poll_firing_message(self._bus.subjects, firing))).first:
            self._metrics.add(FIRINGS, "poll", name)
            log.debug("firing.published", poll=name, scheduled_at=at.isoformat())
        all_since[name] = at


def _unchanged(
    before: Mapping[str, Timed], since: Mapping[str, datetime], now: Mapping[str, Timed]
) -> dict[str, datetime]:
    """How far each of those before has got that is still there with the same times."""
    same = (name for name, timed in now.items() if name in since and digest(before[name]) == digest(timed))
    return {name: since[name] for name in same}


async def _sleep(clock: Clock, until: datetime, *events: asyncio.Event) -> None:
    """Wait until the clock shows `until`, or one of these events has come."""
    wait_s = max(0.0, (until - clock.now()).total_seconds())
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waiting, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
