"""What happened in a simulation: every message as it was stored, every execution of an agent, everything that broke."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import TypeVar
from zlib import crc32

from loopy.bus.cloudevents import read_event
from loopy.bus.codec import read_record
from loopy.bus.subjects import Subjects
from loopy.compiler.plan import Plan, Workflow
from loopy.runs.records import AttemptFailed, AttemptRequested, Event, EventRouted, Record, RunStarted
from tests.sim.entries import Due, Entry, Execution, Loss
from tests.sim.journal import Journal
from tests.sim.keeping import Deletion

R = TypeVar("R", bound=Record)


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
        self.without_value: set[int] = set()  # indexes of messages whose payload was not there when they were stored
        self.lies: dict[int, str] = {}  # what strangers wrote into stream RUN, by sequence
        self.scheduling: Due | None = None
        self.settled = False
        self.is_kept = False  # whether there are janitors
        self.deletions: list[Deletion] = []

    def is_deleted(self, stream: str, sequence: int) -> bool:
        """Whether a janitor deleted this message, perhaps before it was delivered again to whom it was for.

        The grace of a simulation's janitors is seconds, less than a consumer's patience; in life it is days.
        """
        return any((gone.stream, gone.kept.sequence) == (stream, sequence) for gone in self.deletions)

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
        facts = (entry for entry in self.entries if entry.stream in ("RUN", "ATTEMPT"))
        return [(entry, self._read(entry)) for entry in facts if entry.index not in self.without_value]

    def _read(self, entry: Entry) -> Record:
        """The fact of an entry: garbage in the place of a result is that attempt's failure."""
        if not self.is_lie(entry, "garbage"):
            return read_record(entry.message)
        run, step, epoch, attempt = entry.kept.subject.split(".")[-4:]
        at = entry.kept.time
        return AttemptFailed(run, "", step, int(attempt), "", at, at, "garbage", "", epoch=int(epoch))

    def is_lie(self, entry: Entry, *kinds: str) -> bool:
        """Whether a stranger wrote this, and it is of one of these kinds."""
        return entry.stream == "RUN" and self.lies.get(entry.kept.sequence) in kinds

    @cached_property
    def journals(self) -> dict[str, Journal]:
        """The journal of each run that was started."""
        journals = {run: Journal(self.workflow(run), started) for run, started in self.started.items()}
        for entry, record in self._decoded:
            if not isinstance(record, EventRouted | AttemptRequested) and record.run in journals:
                journals[record.run].add(entry, record)
        return journals

    @cached_property
    def archived(self) -> dict[str, Entry]:
        """Where each run was archived."""
        return {entry.kept.subject.rpartition(".")[2]: entry for entry in self.of("ARCHIVE")}

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
    def routed(self) -> dict[str, EventRouted]:
        """Where each event leads."""
        return {record.event: record for _, record in self.records(EventRouted)}

    def workflow(self, run: str) -> Workflow:
        """The workflow of a run that was started."""
        return self.plan.workflows[self.started[run].workflow]

    def trace(self) -> list[tuple[float, str, str, int]]:
        """What makes one simulation the same as another."""
        return [(round(e.time, 6), e.stream, e.kept.subject, crc32(e.kept.payload)) for e in self.entries]
