"""After a power failure: facts are there, attempts are not, and what runs are owed is asked for again."""

import pytest

from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.streams import ATTEMPTS, stream_name
from loopy.compiler.plan import Retry
from loopy_services.dispatcher.service import serve
from tests.integration.dispatcher.test_dispatching import project, requests, requests_are
from tests.support.engine import executing, failure_until, finished_cascade, serving
from tests.support.facts import event, step, workflow
from tests.support.waiting import wait_until

CHAIN = project(workflow(step("a"), step("b", "a", retry=Retry(3, backoff_s=0.05)), step("c", "b")))


async def lose_attempts(bus: Bus) -> None:
    """Have the server forget every attempt, as one does whose machine lost its power just then."""
    await bus._connection.api(f"STREAM.PURGE.{stream_name(bus.subjects, ATTEMPTS)}", {})


async def begun(bus: Bus) -> None:
    """Three runs whose first attempts were asked for and are lost."""
    async with serving(serve, bus, CHAIN):
        for number in range(3):
            await bus.publish_once(event_message(bus.subjects, event(f"e{number}")))
        await wait_until(lambda: requests_are(bus, ["w/a.1"] * 3))
    await lose_attempts(bus)


async def test_attempts_that_are_gone_are_asked_for_again(bus: Bus) -> None:
    await begun(bus)
    async with serving(serve, bus, CHAIN, durability="power-loss"), executing(bus, {"b": failure_until(3)}):
        cascades = [await finished_cascade(bus, f"e{number}") for number in range(3)]
    assert [run.outcome for cascade in cascades for run in cascade.runs] == ["succeeded"] * 3


async def test_nothing_is_asked_for_twice_where_nothing_was_lost(bus: Bus) -> None:
    async with serving(serve, bus, CHAIN), executing(bus):
        await bus.publish_once(event_message(bus.subjects, event()))
        await finished_cascade(bus, "e1")
    before = await requests(bus)
    async with serving(serve, bus, CHAIN, durability="power-loss"):
        assert await requests(bus) == before


@pytest.mark.parametrize("replicas", [2])
async def test_dispatchers_that_start_together_ask_once(bus: Bus, replicas: int) -> None:
    await begun(bus)
    async with serving(serve, bus, CHAIN, replicas=replicas, durability="power-loss"):
        await wait_until(lambda: requests_are(bus, ["w/a.1"] * 3))
