"""What people had runs do: known at the start, and soon after it happens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from loopy.bus.client import Bus
from loopy.bus.codec import record_message
from loopy.bus.messages import Outgoing
from loopy.bus.steering import Steering
from loopy.runs.records import Record
from tests.contract.conftest import Connect
from tests.support.facts import Facts, event, step, workflow
from tests.support.waiting import wait_until

FLOW = workflow(step("a"))
ONE, TWO, THREE = (Facts(FLOW, event(name)) for name in ("e1", "e2", "e3"))


async def publish(bus: Bus, *records: Record) -> None:
    for record in records:
        await bus.publish_once(record_message(bus.subjects, record))


@contextlib.asynccontextmanager
async def steered(bus: Bus) -> AsyncIterator[Steering]:
    steering = Steering(bus)
    await steering.load()
    following = asyncio.create_task(steering.follow())
    try:
        yield steering
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_what_was_done_before_is_known_at_once(bus: Bus) -> None:
    await publish(bus, ONE.paused(), TWO.paused(), TWO.resumed(1), THREE.cancelled())
    steering = Steering(bus)
    await steering.load()
    assert [steering.is_paused(each.run) for each in (ONE, TWO, THREE)] == [True, False, False]
    assert [steering.is_cancelled(each.run) for each in (ONE, TWO, THREE)] == [False, False, True]
    assert all(steering.is_steered(each.run) for each in (ONE, TWO, THREE))
    assert not steering.is_steered("another")


async def test_what_is_done_from_then_on_is_known_soon(bus: Bus, connect: Connect) -> None:
    async with steered(await connect("other")) as steering:
        await publish(bus, ONE.paused())
        await wait_until(lambda: _is(steering.is_paused(ONE.run)))
        await publish(bus, ONE.resumed(1), TWO.cancelled())
        await wait_until(lambda: _is(steering.is_cancelled(TWO.run)))
        assert not steering.is_paused(ONE.run)
        assert steering.is_steered(ONE.run)


async def test_a_pause_that_comes_after_its_epoch_pauses_nothing(bus: Bus) -> None:
    await publish(bus, ONE.resumed(1), ONE.paused(0), TWO.paused(0), TWO.resumed(1), TWO.paused(1))
    steering = Steering(bus)
    await steering.load()
    assert not steering.is_paused(ONE.run)
    assert steering.is_paused(TWO.run)


async def test_nonsense_among_the_facts_is_passed_over(bus: Bus) -> None:
    await bus.publish_once(Outgoing(bus.subjects.pause("r", 0), b"nonsense"))
    await publish(bus, ONE.paused())
    steering = Steering(bus)
    await steering.load()
    assert steering.is_paused(ONE.run)


async def _is(fact: bool) -> bool:
    return fact
