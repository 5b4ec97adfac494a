"""The house as a whole: the scheduler keeps it, and no stream has anything left of a run that is archived."""

import pytest

from loopy.bus.client import Bus
from loopy.bus.streams import ARCHIVES, RUNS, STREAMS
from tests.integration.scheduler.test_janitor import IN_A_MONTH, TOMBSTONES, a_run, janitor, left_of
from tests.support.engine import serving
from tests.support.facts import plan, step, workflow
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("dealt_with")


async def test_the_scheduler_keeps_house(bus: Bus) -> None:
    from loopy_services.scheduler.service import serve

    run = await a_run(bus)
    async with serving(serve, bus, plan(workflow(step("a"))), clock=IN_A_MONTH, replicas=2):

        async def is_cleared() -> bool:
            return await left_of(bus, run) == TOMBSTONES

        await wait_until(is_cleared)


async def test_runs_go_from_every_stream_that_has_something_of_them(bus: Bus) -> None:
    run = await a_run(bus)
    await janitor(bus).look()
    for stream in STREAMS:
        filters = [bus.subjects.under(prefix, ">") for prefix in stream.prefixes]
        left = [message.subject async for message in bus.read(stream, filters) if run in message.subject]
        expected = {
            RUNS.name: [bus.subjects.start(run), bus.subjects.end(run)],
            ARCHIVES.name: [bus.subjects.archive(run)],
        }
        assert left == expected.get(stream.name, [])
