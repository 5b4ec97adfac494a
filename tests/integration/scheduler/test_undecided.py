"""The janitor leaves a run alone while something may still follow from one of its facts."""

import asyncio

from loopy.bus.client import Bus
from loopy.bus.messages import Ack, Message, Verdict
from loopy.bus.streams import DISPATCHER_RUNS
from tests.integration.scheduler.test_janitor import TOMBSTONES, WHOLE, a_run, janitor, left_of
from tests.support.waiting import wait_until


async def test_a_run_is_kept_while_one_of_its_facts_may_still_be_delivered(bus: Bus) -> None:
    run = await a_run(bus)
    await janitor(bus).look()
    assert await left_of(bus, run) == WHOLE
    stopping = asyncio.Event()

    async def handler(message: Message) -> Verdict:
        return Ack()

    async def all_dealt_with() -> bool:
        return await bus.lag(DISPATCHER_RUNS) == 0

    async with asyncio.TaskGroup() as group:
        group.create_task(bus.consume(DISPATCHER_RUNS, handler, in_flight=8, stopping=stopping))
        await wait_until(all_dealt_with)
        stopping.set()
    await janitor(bus).look()
    assert await left_of(bus, run) == TOMBSTONES
