"""Reading what is recorded of runs: one run, a cascade (as it is, or live), the newest runs.

Facts are read as the last message of each subject: the journal of a run in one request. A fact that cannot be decoded
is left out here; the dispatcher sets it aside when it comes to it.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing

from loopy.bus.client import Bus, BusError
from loopy.bus.codec import Undecodable, read_plan, read_record
from loopy.bus.messages import Message
from loopy.bus.streams import PLANS, RUNS
from loopy.compiler.plan import Plan
from loopy.runs.cascade import Cascade, cascade_of
from loopy.runs.records import EventRouted, Record, RunEnded, RunStarted
from loopy.runs.state import RunState, evolve, fold
from loopy.runs.summary import RunSummary, summarize

STALE_READS = 200
STALE_READ_PAUSE_S = 0.02
FILTERS_A_READ = 100
FACTS_A_RUN = 16


async def read_run(bus: Bus, run: str) -> RunState | None:
    """The state of a run; None when nothing is recorded of it."""
    messages = await bus.last_each(RUNS, [bus.subjects.journal(run)])
    return fold(run, _records(messages)) if messages else None


async def read_before(bus: Bus, run: str, fact: Message) -> RunState:
    """The state of a run just before a fact of its journal.

    A replica may answer that has not yet got the fact, and so perhaps not what came before it: then read again.
    BusError when it does not turn up.
    """
    for _ in range(STALE_READS):
        messages = await bus.last_each(RUNS, [bus.subjects.journal(run)])
        if any(message.subject == fact.subject and message.sequence >= fact.sequence for message in messages):
            return fold(run, _records(message for message in messages if message.sequence < fact.sequence))
        await asyncio.sleep(STALE_READ_PAUSE_S)
    raise BusError(f"the journal of run {run} does not hold {fact.subject} at {fact.sequence}, though it was delivered")


async def read_routed(bus: Bus, cascade: str) -> tuple[list[EventRouted], int]:
    """What has been routed in a cascade, and the sequence of the newest of these facts (0: there is none)."""
    messages = await bus.last_each(RUNS, [bus.subjects.cascade(cascade)])
    routed = [record for record in _records(messages) if isinstance(record, EventRouted)]
    return routed, max((message.sequence for message in messages), default=0)


async def read_cascade(bus: Bus, cascade: str) -> Cascade:
    """A cascade as it is now; without roots when its first event is not routed yet."""
    facts = _CascadeFacts(bus, cascade)
    await facts.read()
    return facts.cascade()


async def follow_cascade(bus: Bus, cascade: str) -> AsyncGenerator[Cascade, None]:
    """A cascade as it is now, and again after each fact that changes it, until it is done."""
    facts = _CascadeFacts(bus, cascade)
    after = await facts.read()
    yield (now := facts.cascade())
    while not now.done:
        filters = facts.filters()
        async with aclosing(bus.read(RUNS, filters, after=after, follow=True)) as messages:
            async for message in messages:
                after = message.sequence
                if await facts.add(message):
                    yield (now := facts.cascade())
                if now.done or set(facts.filters()) - set(filters):
                    break


async def list_runs(bus: Bus, limit: int) -> list[RunSummary]:
    """The newest runs, the newest first, at most `limit`; reads the end of the stream, as far back as need be."""
    starts = await _newest_starts(bus, limit)
    states = {record.run: RunState(record.run, record) for record in _records(starts) if isinstance(record, RunStarted)}
    ends = [bus.subjects.end(run) for run in states]
    for some in _portions(ends):
        for record in _records(await bus.last_each(RUNS, some)):
            if isinstance(record, RunEnded):
                states[record.run] = evolve(states[record.run], record)
    summaries = [summary for state in reversed(states.values()) if (summary := summarize(state))]
    return summaries[:limit]


class _CascadeFacts:
    """The facts of a cascade, as they become known."""

    def __init__(self, bus: Bus, cascade: str) -> None:
        self._bus = bus
        self._cascade = cascade
        self._routed: dict[str, EventRouted] = {}
        self._runs: dict[str, RunState] = {}
        self._plans: dict[str, Plan] = {}

    async def read(self) -> int:
        """Read all there is; the sequence after which anything else follows."""
        routed, sequence = await read_routed(self._bus, self._cascade)
        for record in routed:
            await self._take(record)
        for some in _portions([self._bus.subjects.journal(run) for run in self._runs]):
            for fact in _records(await self._bus.last_each(RUNS, some)):
                await self._take(fact)
        return sequence

    async def add(self, message: Message) -> bool:
        """Take one more fact; whether it changed anything."""
        changed = False
        for record in _records([message]):
            changed = await self._take(record)
        return changed

    def filters(self) -> list[str]:
        """What selects every fact of the cascade that can come next: runs only follow from a fact that is routed."""
        journals = [self._bus.subjects.journal(run) for run, state in self._runs.items() if state.ended is None]
        return [self._bus.subjects.cascade(self._cascade), *journals]

    def cascade(self) -> Cascade:
        """The tree of what is known."""
        return cascade_of(self._cascade, list(self._routed.values()), self._runs, self._plans)

    async def _take(self, record: Record) -> bool:
        if isinstance(record, EventRouted):
            return self._take_routed(record)
        known = self._runs.get(record.run)
        if known is None:
            return False
        if isinstance(record, RunStarted):
            await self._know_plan(record.plan)
        self._runs[record.run] = evolve(known, record)
        return self._runs[record.run] is not known

    def _take_routed(self, record: EventRouted) -> bool:
        if record.event in self._routed:
            return False
        self._routed[record.event] = record
        for started in record.runs:
            self._runs.setdefault(started.run, RunState(started.run))
        return True

    async def _know_plan(self, plan: str) -> None:
        """Keep the plan at hand: it names the steps to come. One that is not to be had, or to be read, is left out."""
        if plan in self._plans:
            return
        message = await self._bus.last(PLANS, self._bus.subjects.plan(plan))
        if message is not None:
            try:
                self._plans[plan] = read_plan(message)
            except Undecodable:
                return


async def _newest_starts(bus: Bus, limit: int) -> list[Message]:
    """`RunStarted` of the newest runs: from a window at the stream's end, doubled until it holds enough of them."""
    end = await bus.position(RUNS)
    window = limit * FACTS_A_RUN
    starts = bus.subjects.under("run", "start", ">")
    while True:
        after = max(0, end - window)
        found = [message async for message in bus.read(RUNS, [starts], after=after)]
        if len(found) >= limit or after == 0:
            return found[-limit:]
        window *= 2


def _records(messages: Iterable[Message]) -> Iterator[Record]:
    for message in messages:
        try:
            yield read_record(message)
        except Undecodable:
            continue


def _portions(filters: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(filters), FILTERS_A_READ):
        yield filters[start : start + FILTERS_A_READ]
