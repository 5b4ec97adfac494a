"""What happened in a simulation: every message as it was stored, every execution of an agent, everything that broke."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import TypeVar
from zlib import crc32

import msgspec

from loopy.bus.cloudevents import read_event
from loopy.bus.codec import read_record
from loopy.bus.memory.stream import Kept
from loopy.bus.messages import Message
from loopy.bus.subjects import Subjects
from loopy.compiler.plan import Plan, Workflow
from loopy.runs.records import (
    Event,
    EventRouted,
    Record,
    RunEnded,
    RunStarted,
)

R = TypeVar("R", bound=Record)


class Entry(msgspec.Struct, frozen=True):
    """A message that was stored, at `time` in the loop's seconds. `index` is its place among those of all streams."""

    index: int
    time: float
    stream: str
    kept: Kept

    @property
    def message(self) -> Message:
        """The message as the bus would give it."""
        kept = self.kept
        return Message(self.stream, kept.subject, kept.payload, kept.headers, kept.sequence, kept.time)


class Execution(msgspec.Struct):
    """One execution of an agent, by one process. `ended` is None while it is under way, and for ever if it was lost."""

    process: str
    run: str
    step: str
    attempt: int
    started: float
    ended: float | None = None


class Loss(msgspec.Struct, frozen=True):
    """Something broke at a time: of a process, or of the server, so that attempts may be executed again."""

    time: float
    process: str
    what: str


class Due(msgspec.Struct, frozen=True):
    """The due times of a schedule that somebody was there to fire: those in (since, until]."""

    since: datetime
    until: datetime


class History:
    """All that is known of one simulation."""

    def __init__(self, plan: Plan, subjects: Subjects, skew_s: float) -> None:
        self.plan = plan
        self.skew_s = skew_s
        self.subjects = subjects
        self.entries: list[Entry] = []
        self.executions: list[Execution] = []
        self.losses: list[Loss] = []
        self.failures: list[str] = []
        self.planted: set[int] = set()  # sequences of stream EVT
        self.scheduling: Due | None = None
        self.settled = False

    def of(self, stream: str) -> list[Entry]:
        """The entries of one stream."""
        return [entry for entry in self.entries if entry.stream == stream]

    def subjects_of(self, stream: str, *prefix: str) -> dict[str, list[Entry]]:
        """The entries of a stream below a prefix, by subject."""
        found: dict[str, list[Entry]] = defaultdict(list)
        beginning = self.subjects.under(*prefix, "")
        for entry in self.of(stream):
            if entry.kept.subject.startswith(beginning):
                found[entry.kept.subject].append(entry)
        return found

    def records(self, kind: type[R]) -> Iterator[tuple[Entry, R]]:
        """Every record of a kind, in order."""
        return ((entry, record) for entry, record in self._decoded if isinstance(record, kind))

    @cached_property
    def _decoded(self) -> list[tuple[Entry, Record]]:
        return [(entry, read_record(entry.message)) for entry in self.entries if entry.stream in ("RUN", "ATTEMPT")]

    @cached_property
    def events(self) -> list[tuple[Entry, Event]]:
        """Every event that is no firing and was not planted to be set aside."""
        beginning = self.subjects.under("evt", "")
        return [
            (entry, read_event(self.subjects, entry.message))
            for entry in self.of("EVT")
            if entry.kept.subject.startswith(beginning) and entry.kept.sequence not in self.planted
        ]

    @cached_property
    def started(self) -> dict[str, RunStarted]:
        """The runs that were started."""
        return {record.run: record for _, record in self.records(RunStarted)}

    @cached_property
    def ended(self) -> dict[str, tuple[Entry, RunEnded]]:
        """The ends of runs."""
        return {record.run: (entry, record) for entry, record in self.records(RunEnded)}

    @cached_property
    def routed(self) -> dict[str, EventRouted]:
        """Where each event leads."""
        return {record.event: record for _, record in self.records(EventRouted)}

    def workflow(self, run: str) -> Workflow:
        """The workflow of a run that was started."""
        return self.plan.workflows[self.started[run].workflow]

    def trace(self) -> list[tuple[float, str, str, int]]:
        """What makes one simulation the same as another."""
        return [(round(e.time, 6), e.stream, e.kept.subject, crc32(e.kept.payload)) for e in self.entries]
