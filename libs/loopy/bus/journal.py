"""Reading what is recorded of runs: one run, a cascade, the newest runs.

Facts are read as the last message of each subject: the journal of a run in one request. What is no fact is left out
here (`facts` says what that is); the dispatcher sets it aside when it comes to it. Of a run that was archived the
journal has no more than its start and end, and in time not even these; whoever shows one to people looks into its
archive, too.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeAlias

import msgspec

from loopy.bus.archive import Archive, find_archives
from loopy.bus.client import Bus, BusError
from loopy.bus.codec import read_plan
from loopy.bus.facts import readable_facts
from loopy.bus.messages import Message
from loopy.bus.newest import newest
from loopy.bus.streams import PLANS, RUNS
from loopy.bus.subjects import Subjects
from loopy.bus.undecodable import Undecodable
from loopy.compiler.plan import Plan
from loopy.runs.cascade import Cascade, cascade_of
from loopy.runs.records import (
    EventRouted,
    Record,
    RunCancelled,
    RunFailed,
    RunPaused,
    RunResumed,
    RunStarted,
)
from loopy.runs.state import Result, RunState, evolve, fold
from loopy.runs.summary import RunSummary, summarize

Steering: TypeAlias = RunPaused | RunResumed | RunCancelled | RunFailed

STALE_READS = 200
STALE_READ_PAUSE_S = 0.02
FILTERS_A_READ = 100
FACTS_A_RUN = 16


async def read_run(bus: Bus, run: str) -> RunState | None:
    """The state of a run; None when nothing is recorded of it."""
    messages = await bus.last_each(RUNS, [bus.subjects.journal(run)])
    return fold(run, readable_facts(bus.subjects, messages)) if messages else None


class Recorded(msgspec.Struct, frozen=True):
    """A run as it is recorded: in its journal, or since `archived_at` in its archive.

    `left_out` counts the facts that were too large for the archive; `routed` is what the archive has of its event.
    `steering` is what people had the run do, and each time that it failed, in order; `attempts` are the results of all
    attempts, also of epochs that are past, which the state knows no more.
    """

    state: RunState
    archived_at: datetime | None = None
    left_out: int = 0
    routed: tuple[EventRouted, ...] = ()
    steering: tuple[Steering, ...] = ()
    attempts: tuple[Result, ...] = ()


async def find_run(bus: Bus, run: str) -> Recorded | None:
    """A run, archived or not; None when nothing is recorded of it."""
    messages = await bus.last_each(RUNS, [bus.subjects.journal(run)])
    records = tuple(readable_facts(bus.subjects, messages))
    state = fold(run, records)
    recorded = Recorded(state, steering=_steering(records), attempts=_attempts(records)) if messages else None
    if recorded is not None and recorded.state.ended is None:
        return recorded
    archive = (await find_archives(bus, [run])).get(run)
    return _recorded(bus, archive) if archive is not None else recorded


async def read_before(bus: Bus, run: str, fact: Message) -> RunState:
    """The state of a run just before a fact of its journal.

    A replica may answer that has not yet got the fact, and so perhaps not what came before it: then read again.
    BusError when it does not turn up.
    """
    for _ in range(STALE_READS):
        messages = await bus.last_each(RUNS, [bus.subjects.journal(run)])
        if any(message.subject == fact.subject and message.sequence >= fact.sequence for message in messages):
            earlier = (message for message in messages if message.sequence < fact.sequence)
            return fold(run, readable_facts(bus.subjects, earlier))
        await asyncio.sleep(STALE_READ_PAUSE_S)
    raise BusError(f"the journal of run {run} does not hold {fact.subject} at {fact.sequence}, though it was delivered")


def routed_of(subjects: Subjects, messages: Iterable[Message]) -> list[EventRouted]:
    """The routes that these messages record, in order."""
    return [record for record in readable_facts(subjects, messages) if isinstance(record, EventRouted)]


async def read_cascade(bus: Bus, cascade: str, known: Sequence[EventRouted] = ()) -> Cascade:
    """A cascade as it is now; without roots when its first event is not routed yet.

    `known` is what archives have of it, for one that is so old that its stream has lost it.
    """
    routed = routed_of(bus.subjects, await bus.last_each(RUNS, [bus.subjects.cascade(cascade)]))
    routed += [fact for fact in known if fact.event not in {other.event for other in routed}]
    states = {member.run: RunState(member.run) for fact in routed for member in fact.runs}
    for some in _portions([bus.subjects.journal(run) for run in states]):
        for record in readable_facts(bus.subjects, await bus.last_each(RUNS, some)):
            if not isinstance(record, EventRouted) and record.run in states:
                states[record.run] = evolve(states[record.run], record)
    settled = [run for run, state in states.items() if state.started is None or state.ended is not None]
    for run, archive in (await find_archives(bus, settled)).items():
        states[run] = _recorded(bus, archive).state
    return cascade_of(cascade, routed, states, await _plans_of(bus, states.values()))


async def list_runs(bus: Bus, limit: int) -> list[RunSummary]:
    """The newest runs, the newest first, at most `limit`; reads the end of the stream, as far back as need be."""
    starts = await newest(bus, RUNS, [bus.subjects.under("run", "start", ">")], limit, one_in=FACTS_A_RUN)
    begun = readable_facts(bus.subjects, starts)
    states = {record.run: RunState(record.run, record) for record in begun if isinstance(record, RunStarted)}
    for some in _portions([place for run in states for place in _standing_facts(bus, run)]):
        for record in readable_facts(bus.subjects, await bus.last_each(RUNS, some)):
            if not isinstance(record, EventRouted):
                states[record.run] = evolve(states[record.run], record)
    summaries = [summary for state in reversed(states.values()) if (summary := summarize(state))]
    return summaries[:limit]


def _standing_facts(bus: Bus, run: str) -> tuple[str, ...]:
    """Where the facts lie that tell how a run stands as a whole."""
    subjects = bus.subjects
    return (
        subjects.end(run),
        subjects.cancel(run),
        *(subjects.every(kind, run) for kind in ("failed", "pause", "resume")),
    )


def _recorded(bus: Bus, archive: Archive) -> Recorded:
    records = list(readable_facts(bus.subjects, archive.facts))
    routed = tuple(record for record in records if isinstance(record, EventRouted))
    state, steering, attempts = fold(archive.run, records), _steering(records), _attempts(records)
    return Recorded(state, archive.at, archive.left_out, routed, steering, attempts)


def _steering(records: Iterable[Record]) -> tuple[Steering, ...]:
    return tuple(record for record in records if isinstance(record, Steering))


def _attempts(records: Iterable[Record]) -> tuple[Result, ...]:
    return tuple(record for record in records if isinstance(record, Result))


async def _plans_of(bus: Bus, states: Iterable[RunState]) -> dict[str, Plan]:
    """The plans of these runs, by hash: they name the steps to come. One that cannot be had or read is left out."""
    plans: dict[str, Plan] = {}
    for plan in {state.started.plan for state in states if state.started is not None}:
        message = await bus.last(PLANS, bus.subjects.plan(plan))
        with suppress(Undecodable):
            if message is not None:
                plans[plan] = read_plan(message)
    return plans


def _portions(filters: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(filters), FILTERS_A_READ):
        yield filters[start : start + FILTERS_A_READ]
