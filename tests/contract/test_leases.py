"""Leases: one holder at a time, whose token grows from one to the next."""

import asyncio

import msgspec
import pytest

from loopy.bus.client import Bus, BusError
from loopy.bus.leases import Holder, Leases
from loopy.bus.messages import Outgoing
from loopy.bus.streams import EVENTS, LEASES
from loopy.clock import SystemClock
from tests.contract.conftest import Connect
from tests.support.waiting import wait_until

SECONDS = 1


def leases(bus: Bus, executor: str, seconds: int = SECONDS) -> Leases:
    return Leases(bus, SystemClock(), executor, seconds)


async def test_of_many_who_want_a_lease_one_has_it(bus: Bus, connect: Connect) -> None:
    other = await connect("other")
    taken = await asyncio.gather(
        *(leases(bus if n % 2 else other, f"x{n}", 60).take("r", "fix", 0, 1) for n in range(10))
    )
    assert len([lease for lease in taken if lease is not None]) == 1


@pytest.mark.alone
async def test_a_lease_is_free_when_its_time_is_over_and_the_next_token_is_larger(bus: Bus) -> None:
    first = await leases(bus, "a").take("r", "fix", 0, 1)
    assert first is not None
    began = asyncio.get_running_loop().time()
    others = leases(bus, "b")

    async def taken_over() -> bool:
        lease = await others.take("r", "fix", 0, 1)
        return lease is not None and lease.revision > first.revision

    await wait_until(taken_over)
    assert SECONDS - 0.1 < asyncio.get_running_loop().time() - began < SECONDS + 1
    assert first.overdue
    assert not await first.renew()


async def test_a_lease_that_is_renewed_is_held_and_keeps_its_token(bus: Bus) -> None:
    ours = await leases(bus, "a").take("r", "fix", 0, 1)
    assert ours is not None
    others, revision = leases(bus, "b"), ours.revision
    deadline = asyncio.get_running_loop().time() + 2 * SECONDS

    async def kept_up() -> bool:
        assert await ours.renew()
        assert await others.take("r", "fix", 0, 1) is None
        return asyncio.get_running_loop().time() > deadline

    await wait_until(kept_up)
    assert ours.revision == revision
    assert not ours.overdue


async def test_a_lease_that_is_given_back_can_be_taken_at_once(bus: Bus) -> None:
    first = await leases(bus, "a", 60).take("r", "fix", 0, 1)
    assert first is not None
    await first.release()
    second = await leases(bus, "b", 60).take("r", "fix", 0, 1)
    assert second is not None
    assert second.revision > first.revision
    await first.release()
    assert await leases(bus, "c", 60).take("r", "fix", 0, 1) is None


async def test_only_the_first_holder_of_a_lease_knows_that_the_attempt_was_never_begun(bus: Bus) -> None:
    first = await leases(bus, "a", 60).take("r", "fix", 0, 1)
    assert first is not None
    assert first.is_first
    await first.release()
    second = await leases(bus, "b", 60).take("r", "fix", 0, 1)
    assert second is not None
    assert not second.is_first
    of_the_next = await leases(bus, "b", 60).take("r", "fix", 0, 2)
    assert of_the_next is not None
    assert of_the_next.is_first


async def test_a_lease_tells_how_many_held_it_before(bus: Bus) -> None:
    for earlier, executor in enumerate(("a", "b", "c")):
        lease = await leases(bus, executor, 60).take("r", "fix", 0, 1)
        assert lease is not None
        assert await lease.renew()
        stored = await bus.last(LEASES, bus.subjects.lease("r", "fix", 0, 1))
        assert stored is not None
        assert msgspec.json.decode(stored.payload, type=Holder).earlier == earlier
        await lease.release()


async def test_a_lease_that_nobody_took_over_is_held_again_however_late(bus: Bus) -> None:
    ours = await leases(bus, "a").take("r", "fix", 0, 1)
    assert ours is not None

    async def overdue() -> bool:
        return ours.overdue

    await wait_until(overdue)
    assert await ours.renew()
    assert await leases(bus, "b").take("r", "fix", 0, 1) is None


async def test_a_lease_that_another_held_and_gave_back_is_lost_to_who_held_it_before(bus: Bus) -> None:
    first = await leases(bus, "a").take("r", "fix", 0, 1)
    assert first is not None
    others = leases(bus, "b")

    async def taken_over_and_given_back() -> bool:
        second = await others.take("r", "fix", 0, 1)
        if second is not None:
            await second.release()
        return second is not None

    await wait_until(taken_over_and_given_back)
    assert not await first.renew()


async def test_one_executor_does_not_hold_the_same_lease_twice(bus: Bus) -> None:
    ours = leases(bus, "a", 60)
    assert await ours.take("r", "fix", 0, 1) is not None
    assert await ours.take("r", "fix", 0, 1) is None
    assert await ours.take("r", "review", 0, 1) is not None


async def test_what_a_stranger_put_on_a_lease_is_held_by_the_stranger(bus: Bus) -> None:
    await bus.publish_once(Outgoing(bus.subjects.lease("r", "fix", 0, 1), b"mine"))
    assert await leases(bus, "a").take("r", "fix", 0, 1) is None


async def test_facts_and_events_are_not_for_a_time(bus: Bus) -> None:
    with pytest.raises(BusError, match="per-message TTL is disabled"):
        await bus.publish_once(Outgoing(bus.subjects.event("A", "1"), b"", {"Nats-TTL": "1"}))
    assert await bus.last(EVENTS, bus.subjects.event("A", "1")) is None
