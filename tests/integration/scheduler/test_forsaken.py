"""Runs that failed and that nobody resumed are ended once their time is over, on a real bus."""

import asyncio
from collections.abc import Sequence

import pytest

from loopy.bus.client import Bus
from loopy.bus.codec import record_message
from loopy.bus.journal import read_run
from loopy.bus.messages import Message, Outgoing, Stored
from loopy.bus.streams import (
    RUNS,
    Stream,
)
from loopy.clock import SystemClock
from loopy.runs.records import (
    RunFailed,
    RunResumed,
)
from loopy_services.scheduler.forsaken import Forsaken
from loopy_services.scheduler.janitor import Janitor
from tests.integration.scheduler.test_janitor import AT, IN_A_MONTH, KEEP, TOMBSTONES, a_run, janitor, left_of

# Dispatchers have dealt with all that is stored here: there are none.
pytestmark = pytest.mark.usefixtures("dealt_with")


async def a_failed_run(bus: Bus, number: int = 1) -> str:
    """A run that failed, and waits to be resumed; its id."""
    run = await a_run(bus, number, ended=False)
    await bus.publish_once(record_message(bus.subjects, RunFailed(run, "w", 0, AT, "b", "no answer")))
    return run


async def test_a_run_that_nobody_resumed_is_ended_as_failed_and_then_archived(bus: Bus) -> None:
    run = await a_failed_run(bus)
    await Janitor(bus, SystemClock(), KEEP).look()
    assert "run end" not in await left_of(bus, run)
    keeping = Janitor(bus, IN_A_MONTH, KEEP)
    await keeping.look()
    state = await read_run(bus, run)
    assert state is not None
    assert state.ended is not None
    assert (state.ended.outcome, state.ended.step, state.ended.by) == ("failed", "b", "janitor")
    assert state.ended.detail == "nobody resumed it within 30 days, so it was ended; it had failed: no answer"
    await janitor(bus).look()
    assert await left_of(bus, run) == TOMBSTONES


async def test_a_run_that_was_resumed_is_not_ended(bus: Bus) -> None:
    run = await a_failed_run(bus)
    await bus.publish_once(record_message(bus.subjects, RunResumed(run, "w", 1, AT, "me", "", ("b",))))
    await Janitor(bus, IN_A_MONTH, KEEP).look()
    assert "run end" not in await left_of(bus, run)


async def test_a_run_that_is_resumed_while_it_is_being_ended_goes_on(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await a_failed_run(bus)
    publish_after = bus.publish_after

    async def too_late(message: Outgoing, *, scope: str, sequence: int) -> Stored | None:
        await bus.publish_once(record_message(bus.subjects, RunResumed(run, "w", 1, AT, "me", "", ("b",))))
        return await publish_after(message, scope=scope, sequence=sequence)

    monkeypatch.setattr(bus, "publish_after", too_late)
    await Janitor(bus, IN_A_MONTH, KEEP).look()
    assert "run end" not in await left_of(bus, run)


async def test_a_run_that_failed_anew_after_it_was_resumed_is_not_ended_for_the_failure_before(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await a_failed_run(bus)
    last_each = bus.last_each

    async def fails_anew_meanwhile(stream: Stream, filters: Sequence[str]) -> list[Message]:
        monkeypatch.undo()
        await bus.publish_once(record_message(bus.subjects, RunResumed(run, "w", 1, AT, "me", "", ("b",))))
        await bus.publish_once(record_message(bus.subjects, RunFailed(run, "w", 1, AT, "b", "no answer")))
        return await last_each(stream, filters)

    forsaken = Forsaken(bus, KEEP)
    monkeypatch.setattr(bus, "last_each", fails_anew_meanwhile)
    await forsaken.look(IN_A_MONTH.now())
    assert "run end" not in await left_of(bus, run)


async def test_a_failure_of_an_epoch_before_that_is_stored_late_keeps_no_run_from_its_end(bus: Bus) -> None:
    run = await a_run(bus, ended=False)
    await bus.publish_once(record_message(bus.subjects, RunResumed(run, "w", 1, AT, "me", "", ("b",))))
    for epoch, why in ((1, "no answer again"), (0, "no answer")):
        await bus.publish_once(record_message(bus.subjects, RunFailed(run, "w", epoch, AT, "b", why)))
    await Janitor(bus, IN_A_MONTH, KEEP).look()
    state = await read_run(bus, run)
    assert state is not None
    assert state.ended is not None
    assert state.ended.detail.endswith("it had failed: no answer again")


async def test_many_janitors_end_a_run_once(bus: Bus) -> None:
    run = await a_failed_run(bus)
    await asyncio.gather(*(Janitor(bus, IN_A_MONTH, KEEP).look() for _ in range(4)))
    assert len([m async for m in bus.read(RUNS, [bus.subjects.end(run)])]) == 1
