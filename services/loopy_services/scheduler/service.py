"""The scheduler: fires schedules and polls when they are due, and keeps house beside it.

Any number of replicas fire each due time once, and archive each run once.
"""

import asyncio
from datetime import datetime, timedelta

import structlog

from loopy.bus.client import Bus
from loopy.bus.codec import Firing, cron_firing_message, poll_firing_message
from loopy.bus.plans import PlanStore
from loopy.clock import Clock
from loopy.compiler.plan import CronTrigger, Plan, PollSource
from loopy.kit.metrics import FIRINGS, UNMEASURED, Metrics
from loopy.kit.service import Host
from loopy_services.scheduler.core import due, due_poll, next_look, was_set_back
from loopy_services.scheduler.janitor import Janitor
from loopy_services.scheduler.marks import Marks

log = structlog.get_logger()


async def serve(host: Host) -> None:
    """Fire and keep house until told to stop."""
    scheduler = Scheduler(host.bus, host.plan, host.metrics)
    await scheduler.start(host.clock.now())
    await PlanStore(host.bus, host.plan).store()
    janitor = Janitor(host.bus, host.clock, timedelta(days=host.settings.keep_days), host.metrics)
    host.ready()
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(janitor.run())
        while not host.stopping.is_set():
            wake_at = await scheduler.fire(host.clock.now())
            await _sleep(host.clock, wake_at, host.stopping)
        keeping.cancel()


class Scheduler:
    """The schedules and polls of one plan, and for each the instant behind which its due times are open."""

    def __init__(self, bus: Bus, plan: Plan, metrics: Metrics = UNMEASURED) -> None:
        self._bus = bus
        self._metrics = metrics
        self._marks = Marks(bus)
        self._schedules = plan.schedules
        self._polls = {name: s.source for name, s in plan.sensors.items() if isinstance(s.source, PollSource)}
        self._schedules_since: dict[str, datetime] = {}
        self._polls_since: dict[str, datetime] = {}

    async def start(self, now: datetime) -> None:
        """Find out where each schedule and poll has got to; one that was never seen counts from now."""
        for name, trigger in self._schedules.items():
            self._schedules_since[name] = await self._marks.counts_from("cron", name, trigger, now)
        for name, source in self._polls.items():
            self._polls_since[name] = await self._marks.counts_from("poll", name, source, now)

    async def fire(self, now: datetime) -> datetime:
        """Fire all that is due; the instant at which to look again.

        When the clock has been set back, the marks say anew what was fired by the time that it shows now.
        """
        if any(was_set_back(since, now) for since in (*self._schedules_since.values(), *self._polls_since.values())):
            log.warning("clock.set_back", now=now.isoformat())
            await self.start(now)
        held = [name for name, trigger in self._schedules.items() if await self._fire_schedule(name, trigger, now)]
        for name, source in self._polls.items():
            await self._fire_poll(name, source, now)
        return next_look(self._schedules.values(), self._polls.values(), now, held=bool(held))

    async def _fire_schedule(self, name: str, trigger: CronTrigger, now: datetime) -> bool:
        """Fire or pass over what is due of a schedule; whether some of it is held until a run has ended."""
        since = self._schedules_since[name]
        if due(trigger, since, now, under_way=False).is_empty:
            return False
        # In this order, so that what another replica fires meanwhile is not taken for the run of an earlier due time.
        under_way = trigger.overlap != "allow" and await self._marks.under_way(name, now)
        since = self._schedules_since[name] = await self._marks.dealt_with(name, since, now)
        now_due = due(trigger, since, now, under_way=under_way)
        if now_due.passed is not None:
            await self._marks.pass_over(name, now_due.passed)
            self._schedules_since[name] = now_due.passed
            log.info("firing.passed", schedule=name, scheduled_at=now_due.passed.isoformat(), under_way=under_way)
        for at in now_due.fire:
            await self._publish_firing(name, at, now)
            self._schedules_since[name] = at
        return now_due.held

    async def _publish_firing(self, name: str, at: datetime, now: datetime) -> None:
        firing = Firing(name, at, await self._marks.newest("done", name, now))
        stored = await self._bus.publish_once(cron_firing_message(self._bus.subjects, firing))
        if stored.first:
            self._metrics.add(FIRINGS, "cron", name)
            log.info("firing.published", schedule=name, scheduled_at=at.isoformat())

    async def _fire_poll(self, name: str, source: PollSource, now: datetime) -> None:
        at = due_poll(source, self._polls_since[name], now)
        if at is None:
            return
        firing = Firing(name, at, await self._marks.newest("polled", name, now))
        if (await self._bus.publish_once(poll_firing_message(self._bus.subjects, firing))).first:
            self._metrics.add(FIRINGS, "poll", name)
            log.debug("firing.published", poll=name, scheduled_at=at.isoformat())
        self._polls_since[name] = at


async def _sleep(clock: Clock, until: datetime, stopping: asyncio.Event) -> None:
    """Wait until the clock shows `until`, or the service is to stop."""
    wait_s = max(0.0, (until - clock.now()).total_seconds())
    try:
        await asyncio.wait_for(stopping.wait(), wait_s)
    except TimeoutError:
        return
