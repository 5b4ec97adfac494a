"""Clocks that jump: what a schedule fires, it fires once, and it goes on when the clock is right again."""

from datetime import datetime, timedelta

import pytest

from loopy.bus.client import Bus
from loopy.bus.codec import read_firing
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.streams import EVENTS
from loopy.bus.subjects import Subjects
from loopy.compiler.plan import CronTrigger
from loopy_services.scheduler.service import Scheduler
from tests.support.facts import plan, step, workflow

HALF_PAST = datetime.fromisoformat("2026-11-22T08:30:00Z")


@pytest.mark.parametrize("hours", [3, 24 * 365])
async def test_a_clock_that_jumps_ahead_and_back_fires_nothing_twice_and_silences_nothing(hours: int) -> None:
    bus = Bus(MemoryConnection(MemoryServer(), "test"), Subjects("unit"))
    await bus.provision()
    trigger = CronTrigger("0 * * * *", catch_up="all", overlap="allow")
    hourly = plan(workflow(step("a"), name="hourly", on=trigger))
    scheduler, other = Scheduler(bus, hourly), Scheduler(bus, hourly)
    await scheduler.start(HALF_PAST)
    await other.start(HALF_PAST)
    await scheduler.fire(HALF_PAST + timedelta(hours=hours))
    for passed in range(1, 6):
        for each in (scheduler, other):
            await each.fire(HALF_PAST + timedelta(hours=passed))
    filters = [bus.subjects.under("firing", "cron", ">")]
    fired = [read_firing(message).scheduled_at async for message in bus.read(EVENTS, filters)]
    assert len(fired) == len(set(fired))
    assert {HALF_PAST + timedelta(minutes=30, hours=passed) for passed in range(5)} <= set(fired)
