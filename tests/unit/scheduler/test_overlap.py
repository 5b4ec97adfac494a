"""Runs of a schedule do not overlap where they may not, though replicas lag and schedulers are several."""

from datetime import UTC, datetime
from typing import Any

import pytest

from loopy.bus.client import Bus
from loopy.bus.codec import Firing, cron_firing_message, read_firing
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.memory.stream import MemoryStream
from loopy.bus.streams import EVENTS, stream_name
from loopy.bus.subjects import Subjects
from loopy.compiler.plan import CronTrigger, Plan
from loopy_services.scheduler.marks import Marks
from loopy_services.scheduler.service import Scheduler
from tests.support.facts import plan, step, workflow


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-22T{clock}Z").astimezone(UTC)


def hourly(**policies: Any) -> Plan:
    return plan(workflow(step("a"), name="hourly", on=CronTrigger("0 * * * *", **policies)))


async def bus_on(server: MemoryServer) -> Bus:
    bus = Bus(MemoryConnection(server, "test"), Subjects("t"))
    await bus.provision()
    return bus


async def fired(bus: Bus) -> list[str]:
    filters = [bus.subjects.under("firing", "cron", ">")]
    return [f"{read_firing(message).scheduled_at:%H:%M}" async for message in bus.read(EVENTS, filters)]


async def test_a_replica_that_has_not_got_the_last_firing_does_not_let_the_next_one_overlap_it() -> None:
    server = MemoryServer()
    bus = await bus_on(server)
    scheduler = Scheduler(bus, hourly(catch_up="all", overlap="queue"))
    await scheduler.start(at("08:30:00"))
    await scheduler.fire(at("10:00:05"))

    def lag(stream: MemoryStream) -> int:
        return 1 if stream.name == stream_name(bus.subjects, EVENTS) else 0

    server.lag = lag
    assert await scheduler.fire(at("10:00:06")) == at("10:00:07")
    assert await fired(bus) == ["09:00"]


@pytest.mark.parametrize("overlap", ["skip", "queue"])
async def test_nothing_is_fired_over_the_run_that_another_scheduler_fired_since_it_was_looked(
    overlap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = await bus_on(MemoryServer())
    scheduler, real = Scheduler(bus, hourly(overlap=overlap)), Marks.newest

    async def while_another_fires(marks: Marks, kind: str, name: str, now: datetime) -> datetime | None:
        if kind == "done":
            await bus.publish_once(cron_firing_message(bus.subjects, Firing("hourly", at("09:00:00"), None)))
        return await real(marks, kind, name, now)

    await scheduler.start(at("08:30:00"))
    monkeypatch.setattr(Marks, "newest", while_another_fires)
    assert await scheduler.fire(at("10:00:05")) == at("10:00:06")
    assert await fired(bus) == ["09:00"]


async def test_what_a_clock_that_was_ahead_fired_is_not_fired_again_when_its_time_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ended(*_: object) -> bool:
        return False

    monkeypatch.setattr(Marks, "under_way", ended)
    bus = await bus_on(MemoryServer())
    scheduler = Scheduler(bus, hourly())
    await scheduler.start(at("08:30:00"))
    for now in ("11:00:01", "09:00:01", "11:00:02", "12:00:01"):
        await scheduler.fire(at(now))
    assert await fired(bus) == ["11:00", "09:00", "12:00"]
