"""Messages that the server publishes when their time has come."""

from datetime import UTC, datetime, timedelta

import pytest

from loopy.bus.client import Bus, BusError
from loopy.bus.messages import Message, Outgoing
from loopy.bus.streams import RUNS, TIMERS
from tests.support.waiting import wait_until


def timer(bus: Bus, step: str, in_s: float) -> Outgoing:
    """A timer that is due in so many seconds."""
    at = datetime.now(UTC) + timedelta(seconds=in_s)
    headers = {
        "Nats-Schedule": f"@at {at.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}",
        "Nats-Schedule-Target": bus.subjects.fire("r", step, 0, 2),
        "Loopy-Test": step,
    }
    return Outgoing(bus.subjects.timer("r", step, 0, 2), step.encode(), headers)


async def fired(bus: Bus) -> list[Message]:
    return [message async for message in bus.read(TIMERS, [bus.subjects.under("fire", ">")])]


async def test_what_is_scheduled_is_published_when_it_is_due_and_not_before(bus: Bus) -> None:
    late, soon = timer(bus, "late", 3600), timer(bus, "soon", 0.3)
    await bus.publish_once(late)
    await bus.publish_once(soon)
    assert await fired(bus) == []

    async def one() -> bool:
        return len(await fired(bus)) == 1

    await wait_until(one)
    [message] = await fired(bus)
    assert (message.subject, message.payload) == (bus.subjects.fire("r", "soon", 0, 2), b"soon")
    assert message.headers["Loopy-Test"] == "soon"
    assert message.headers["Nats-Scheduler"] == soon.subject
    assert not {"Nats-Schedule", "Nats-Schedule-Target"} & message.headers.keys()


async def test_a_schedule_that_has_fired_is_gone_and_may_be_made_again(bus: Bus) -> None:
    assert (await bus.publish_once(timer(bus, "soon", 0.1))).first
    assert not (await bus.publish_once(timer(bus, "soon", 0.1))).first

    async def twice() -> bool:
        if await bus.last(TIMERS, bus.subjects.timer("r", "soon", 0, 2)) is None:
            await bus.publish_once(timer(bus, "soon", 0))
        return len(await fired(bus)) == 2

    await wait_until(twice)


async def test_what_is_due_already_is_published_at_once(bus: Bus) -> None:
    await bus.publish_once(timer(bus, "past", -60))

    async def one() -> bool:
        return len(await fired(bus)) == 1

    await wait_until(one)


@pytest.mark.parametrize("schedule", ["@at nonsense", "@at", "tomorrow"])
async def test_a_schedule_that_makes_no_sense_is_refused(bus: Bus, schedule: str) -> None:
    headers = {"Nats-Schedule": schedule, "Nats-Schedule-Target": bus.subjects.fire("r", "s", 0, 2)}
    with pytest.raises(BusError, match="pattern is invalid"):
        await bus.publish_once(Outgoing(bus.subjects.timer("r", "s", 0, 2), b"", headers))


async def test_only_the_stream_of_timers_schedules(bus: Bus) -> None:
    with pytest.raises(BusError, match="schedules is disabled"):
        await bus.publish_once(Outgoing(bus.subjects.start("r"), b"", timer(bus, "s", 1).headers))
    assert await bus.last(RUNS, bus.subjects.start("r")) is None
