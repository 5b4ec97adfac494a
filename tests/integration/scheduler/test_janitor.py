"""The janitor on a real bus: runs that ended are archived, then deleted, and can be shown all the same."""

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loopy.bus.archive import archive_message, find_archive
from loopy.bus.client import Bus
from loopy.bus.codec import record_message
from loopy.bus.journal import find_run, list_runs, read_cascade, read_run
from loopy.bus.messages import Message, Outgoing
from loopy.bus.streams import (
    ARCHIVES,
    ATTEMPTS,
    BLOBS,
    LEASES,
    RUNS,
    TIMERS,
    stream_name,
)
from loopy.clock import SystemClock
from loopy.runs.records import (
    AttemptFailed,
    AttemptRequested,
    AttemptSucceeded,
    EventRouted,
    RoutedRun,
    RunEnded,
    RunResumed,
    RunStarted,
)
from loopy_services.scheduler.janitor import PORTION, Janitor
from loopy_services.scheduler.keeping import PRESSED_AT, PRESSED_KEEP
from tests.support.engine import ShiftedClock
from tests.support.facts import PLAN, event

# Dispatchers have dealt with all that is stored here: there are none.
pytestmark = pytest.mark.usefixtures("dealt_with")

PAGE = Path(__file__).parents[3] / "docs/operating/keeping-house.md"
KEEP = timedelta(days=30)
NOTHING = timedelta()
IN_A_MONTH = ShiftedClock(datetime.now(UTC) + KEEP + timedelta(minutes=5))
AT = datetime(2026, 3, 1, tzinfo=UTC)
Call = Callable[..., Awaitable[Any]]


def janitor(bus: Bus, keep: timedelta = NOTHING) -> Janitor:
    return Janitor(bus, SystemClock(), keep)


async def a_run(bus: Bus, number: int = 1, *, ended: bool = True, filler: str = "") -> str:
    """A run of one step that failed once, with all that it leaves on the bus; its id."""
    started = event(f"e{number}")
    run = f"{number:024x}"
    requested = AttemptRequested(run, "w", "a", 1, PLAN, started, {}, 60, AT)
    for record in (
        EventRouted(started.id, started.type, started.cascade, PLAN, AT, (RoutedRun(run, "w"),)),
        RunStarted(run, "w", PLAN, started, AT),
        requested,
        AttemptFailed(run, "w", "a", 1, "x", AT, AT, "bad_output", "no answer"),
        AttemptRequested(run, "w", "a", 2, PLAN, started, {}, 60, AT),
        AttemptSucceeded(run, "w", "a", 2, "x", AT, AT, {"answer": number, "filler": filler}),
    ):
        await bus.publish_once(record_message(bus.subjects, record))
    for subject in (
        bus.subjects.lease(run, "a", 0, 1),
        bus.subjects.lease(run, "a", 0, 2),
        bus.subjects.timer(run, "a", 0, 2),
        bus.subjects.fire(run, "a", 0, 2),
    ):
        await bus.publish_once(Outgoing(subject, b"{}"))
    if ended:
        await bus.publish_once(record_message(bus.subjects, RunEnded(run, "w", "succeeded", AT)))
    return run


async def left_of(bus: Bus, run: str) -> set[str]:
    """The kinds of messages that are left of a run, whatever their streams."""
    filters = (
        (RUNS, [bus.subjects.journal(run)]),
        (ATTEMPTS, [bus.subjects.attempts_of(run)]),
        (TIMERS, bus.subjects.timers_of(run)),
        (LEASES, [bus.subjects.leases_of(run)]),
    )
    messages = [message for stream, wanted in filters for message in await bus.last_each(stream, wanted)]
    return {" ".join(token for token in message.subject.split(".")[1:3] if token != run) for message in messages}


WHOLE = {"run start", "run result", "run end", "attempt default", "timer", "fire", "lease"}
TOMBSTONES = {"run start", "run end"}


async def test_a_run_that_ended_is_archived_and_nothing_but_its_start_and_end_is_left(bus: Bus) -> None:
    run = await a_run(bus)
    before = await read_run(bus, run)
    assert await left_of(bus, run) == WHOLE
    await janitor(bus).look()
    assert await left_of(bus, run) == TOMBSTONES
    found = await find_run(bus, run)
    assert found is not None
    assert found.state == before
    assert found.archived_at is not None
    assert [fact.event for fact in found.routed] == ["e1"]


async def test_attempts_before_a_retry_are_shown_from_the_journal_and_from_the_archive(bus: Bus) -> None:
    run = await a_run(bus, ended=False)
    again = AttemptSucceeded(run, "w", "a", 1, "x", AT, AT, {"answer": 2}, epoch=1)
    for record in (RunResumed(run, "w", 1, AT, "ada", "", ("a",)), again, RunEnded(run, "w", "succeeded", AT)):
        await bus.publish_once(record_message(bus.subjects, record))
    before = await find_run(bus, run)
    assert before is not None
    assert [(each.epoch, each.attempt) for each in before.attempts] == [(0, 1), (0, 2), (1, 1)]
    await janitor(bus).look()
    found = await find_run(bus, run)
    assert found is not None
    assert found.archived_at is not None
    assert found.attempts == before.attempts


async def test_large_values_are_archived_and_their_blobs_deleted(bus: Bus) -> None:
    run = await a_run(bus, filler="all the same " * 50_000)
    other = await a_run(bus, 2, ended=False, filler="something else " * 50_000)
    before, others = await read_run(bus, run), await read_run(bus, other)
    blobs = (await bus.room(BLOBS)).messages
    await janitor(bus).look()
    found = await find_run(bus, run)
    assert found is not None
    assert (found.state, found.left_out) == (before, 0)
    assert (await bus.room(BLOBS)).messages == blobs / 2
    assert await read_run(bus, other) == others


async def test_an_archive_that_would_be_a_large_value_is_one_message(bus: Bus) -> None:
    run = await a_run(bus, filler="x" * 2_000_000)
    await janitor(bus).look()
    assert (await bus.room(BLOBS)).messages == 0
    stored = await bus.last(ARCHIVES, bus.subjects.archive(run))
    assert stored is not None
    assert len(stored.payload) > 2_000_000


async def test_an_archived_run_is_listed_and_its_cascade_shown_as_before(bus: Bus) -> None:
    await a_run(bus)
    listed, shown = await list_runs(bus, 10), await read_cascade(bus, "e1")
    assert [each.progress for each in shown.steps] == ["succeeded"]
    await janitor(bus).look()
    assert await list_runs(bus, 10) == listed
    assert await read_cascade(bus, "e1") == shown


async def test_a_run_is_shown_from_its_archive_when_its_stream_has_lost_all_of_it(bus: Bus) -> None:
    run = await a_run(bus)
    before, shown = await read_run(bus, run), await read_cascade(bus, "e1")
    await janitor(bus).look()
    await bus._connection.api(f"STREAM.PURGE.{stream_name(bus.subjects, RUNS)}", {})
    found = await find_run(bus, run)
    assert found is not None
    assert found.state == before
    assert await read_cascade(bus, "e1", found.routed) == shown


async def test_a_run_under_way_is_never_touched(bus: Bus) -> None:
    ended, under_way = await a_run(bus, 1), await a_run(bus, 2, ended=False)
    for _ in range(2):
        await janitor(bus).look()
    assert await left_of(bus, under_way) == WHOLE - {"run end"}
    assert await find_archive(bus, under_way) is None
    assert await left_of(bus, ended) == TOMBSTONES


async def test_a_run_stays_until_the_grace_is_over(bus: Bus) -> None:
    run = await a_run(bus)
    wait = await janitor(bus, KEEP).look()
    assert wait == timedelta(seconds=60)
    assert await left_of(bus, run) == WHOLE
    await Janitor(bus, IN_A_MONTH, KEEP).look()
    assert await left_of(bus, run) == TOMBSTONES


class Dies(Exception):
    """The janitor's process was killed."""


def dying(after: int, call: Call) -> Call:
    """The same, but so many calls later it is killed instead."""
    left = [after]

    async def work(*arguments: Any, **named: Any) -> Any:
        if left[0] == 0:
            raise Dies
        left[0] -= 1
        return await call(*arguments, **named)

    return work


@pytest.mark.parametrize("deleted", range(8))
async def test_a_janitor_that_died_while_deleting_is_made_up_for_by_the_next(
    bus: Bus, deleted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [await a_run(bus, number) for number in (1, 2)]
    states = [await read_run(bus, run) for run in runs]
    with monkeypatch.context() as patch:
        patch.setattr(bus, "delete", dying(deleted, bus.delete))
        with pytest.raises(Dies):
            await janitor(bus).look()
        found = await find_run(bus, runs[0])
        assert found is not None
        assert found.state == states[0]
    assert await find_archive(bus, runs[1]) is None
    await janitor(bus).look()
    assert [await left_of(bus, run) for run in runs] == [TOMBSTONES, TOMBSTONES]
    for run, state in zip(runs, states, strict=True):
        found = await find_run(bus, run)
        assert found is not None
        assert found.state == state


async def test_nothing_is_deleted_where_the_archive_could_not_be_stored(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await a_run(bus)
    monkeypatch.setattr(bus, "publish_once", dying(0, bus.publish_once))
    with pytest.raises(Dies):
        await janitor(bus).look()
    assert await left_of(bus, run) == WHOLE


async def test_the_program_of_the_operators_page_reads_every_archive(
    bus: Bus, nats_url: str, namespace: str, tmp_path: Path
) -> None:
    runs = [await a_run(bus, number) for number in (1, 2)]
    await janitor(bus).look()
    (tmp_path / ".loopy").mkdir()
    (tmp_path / ".loopy/server.json").write_text(json.dumps({"nats_url": nats_url}))
    [program] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    program = program.replace('"loopy.archive', f'"{namespace}.archive')
    reading = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    assert reading.stdout is not None
    assert [(await reading.stdout.readline()).decode() for _ in runs] == [f"{run} 5 facts\n" for run in runs]
    reading.kill()
    await reading.communicate()


async def test_many_janitors_at_once_archive_each_run_once_and_leave_no_more_than_one(bus: Bus) -> None:
    runs = [await a_run(bus, number) for number in range(1, 9)]
    await asyncio.gather(*(janitor(bus).look() for _ in range(4)))
    assert [await left_of(bus, run) for run in runs] == [TOMBSTONES] * len(runs)
    archived = [message.subject async for message in bus.read(ARCHIVES, [bus.subjects.archive("*")])]
    assert archived == [bus.subjects.archive(run) for run in runs]


async def test_a_janitor_goes_on_where_the_last_one_ended(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 4):
        await a_run(bus, number)
    await janitor(bus).look()
    await a_run(bus, 4)
    seen: list[int] = []
    following = janitor(bus)
    clear = following._clear

    async def noting(end: Message, dealt_with: int) -> bool:
        seen.append(end.sequence)
        return await clear(end, dealt_with)

    monkeypatch.setattr(following, "_clear", noting)
    await following.look()
    ends = [message.sequence async for message in bus.read(RUNS, [bus.subjects.end("*")])]
    assert seen == ends[2:]


async def test_more_runs_than_a_portion_are_dealt_with_at_once(bus: Bus) -> None:
    ends = [RunEnded(f"{number:024x}", "w", "succeeded", AT) for number in range(PORTION + 1)]
    await asyncio.gather(*(bus.publish_once(record_message(bus.subjects, end)) for end in ends))
    working = janitor(bus)
    assert await working.look() == NOTHING
    assert await working.look() > NOTHING
    assert len([m async for m in bus.read(ARCHIVES, [bus.subjects.archive("*")])]) == PORTION + 1


async def test_a_fact_that_came_after_the_archive_is_not_deleted(bus: Bus) -> None:
    run = await a_run(bus)
    await janitor(bus).look()
    late = AttemptSucceeded(run, "w", "a", 3, "x", AT, AT)
    await bus.publish_once(record_message(bus.subjects, late))
    await janitor(bus).look()
    assert await left_of(bus, run) == TOMBSTONES | {"run result"}
    found = await find_run(bus, run)
    assert found is not None
    assert found.state.step("a").results[-1].attempt == 2


@pytest.mark.parametrize("readable", [True, False])
async def test_a_strangers_message_in_an_archives_place_costs_nobody_anything(bus: Bus, *, readable: bool) -> None:
    ended, under_way, other = [await a_run(bus, number, ended=number != 2) for number in (1, 2, 3)]
    anothers = [message async for message in bus.read(RUNS, [bus.subjects.journal(under_way)])]
    forged = archive_message(bus.subjects, ended, 1, anothers, bus.max_payload)
    await bus.publish_once(forged if readable else Outgoing(forged.subject, b"nonsense"))
    await janitor(bus).look()
    assert await left_of(bus, ended) == WHOLE
    assert await left_of(bus, under_way) == WHOLE - {"run end"}
    assert await left_of(bus, other) == TOMBSTONES


async def test_where_a_stream_fills_up_runs_go_before_their_grace_is_over(bus: Bus) -> None:
    run = await a_run(bus, filler="x" * 10_000)
    in_two_hours = ShiftedClock(datetime.now(UTC) + 2 * PRESSED_KEEP)
    await Janitor(bus, in_two_hours, KEEP).look()
    assert await left_of(bus, run) == WHOLE
    config = (await bus._connection.api(f"STREAM.INFO.{stream_name(bus.subjects, RUNS)}", {}))["config"]
    most = int((await bus.room(RUNS)).bytes / PRESSED_AT) - 10
    await bus._connection.api(f"STREAM.UPDATE.{config['name']}", {**config, "max_bytes": most})
    await janitor(bus, KEEP).look()
    assert await left_of(bus, run) == WHOLE
    await Janitor(bus, in_two_hours, KEEP).look()
    assert await left_of(bus, run) == TOMBSTONES
    assert (await bus.room(RUNS)).fullness < PRESSED_AT
