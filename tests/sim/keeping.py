"""The janitor in simulations: with a grace of seconds, while everything goes wrong; and what must hold of its work.

Late is what was under way for seconds, too, so that those who stood still for longer are those who have to look.
"""

import base64
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from loopy.bus.memory.stream import Kept
from loopy.kit.service import Host
from loopy_services.scheduler.janitor import Janitor
from tests.sim.entries import Entry
from tests.sim.journal import Journal

if TYPE_CHECKING:
    from tests.sim.history import History
    from tests.sim.world import World

KEEP = timedelta(seconds=20)
LATE = timedelta(seconds=8)
CLOCKS_APART = timedelta(seconds=5)
STAYING = ("start", "end", "routed")


class Deletion(msgspec.Struct, frozen=True):
    """A message that was deleted when so many had been stored, in all streams."""

    index: int
    stream: str
    kept: Kept


def janitors_of(seed: int, numbers: tuple[int, ...]) -> int:
    """How many janitors there are in the simulation of a seed; drawn apart, so that all else stays as it was."""
    return random.Random(f"janitors {seed}").choice(numbers)


async def keep_house(world: "World", host: Host) -> None:
    """The janitor's role."""
    await Janitor(host.bus, host.clock, KEEP).run()


def run_of(stream: str, subject: str) -> str:
    """The run that a message of these streams belongs to."""
    return subject.split(".")[{"RUN": 3, "ATTEMPT": 3, "TIMER": 2, "LEASE": 2}[stream]]


def ends_of(history: "History") -> "dict[str, Entry]":
    """Where each run ended."""
    return {run: journal.ended[0] for run, journal in history.journals.items() if journal.ended is not None}


def archives(history: "History") -> "dict[str, tuple[Entry, list[Any]]]":
    """The archive of each run, read line by line."""
    return {
        entry.kept.subject.rpartition(".")[2]: (entry, [json.loads(line) for line in entry.kept.payload.splitlines()])
        for entry in history.of("ARCHIVE")
    }


def nothing_is_deleted_that_is_needed(history: "History") -> Iterator[str]:
    """A run's messages go once it has ended and its archive is stored; of its facts those that are in there."""
    stored, ends = archives(history), ends_of(history)
    for deletion in history.deletions:
        kept, run = deletion.kept, run_of(deletion.stream, deletion.kept.subject)
        where = f"{deletion.stream} {kept.sequence} {kept.subject} was deleted"
        end, archive = ends.get(run), stored.get(run)
        if end is None or end.index >= deletion.index:
            yield f"{where} although its run had not ended"
        elif archive is None or archive[0].index >= deletion.index:
            yield f"{where} although its run was not archived"
        elif deletion.stream == "RUN" and kept.subject.split(".")[2] in STAYING:
            yield f"{where} although it is to stay"
        elif deletion.stream == "RUN" and not any(
            (line["subject"], line["sequence"]) == (kept.subject, kept.sequence) for line in archive[1][1:]
        ):
            yield f"{where} although it is not in the archive"


def every_run_that_ended_is_archived_whole(history: "History") -> Iterator[str]:
    """Where there is a janitor, each end leads to one archive, which has all that was recorded up to the end."""
    stored = archives(history)
    if len(stored) < len(history.of("ARCHIVE")):
        yield "a run was archived twice"
    facts: dict[str, list[Entry]] = defaultdict(list)
    for entry in history.of("RUN"):
        facts[run_of("RUN", entry.kept.subject)].append(entry)
    for run, end in ends_of(history).items() if history.is_kept else ():
        if run not in stored:
            yield f"run {run} ended and was not archived"
            continue
        lines = {line["sequence"]: line for line in stored[run][1][1:]}
        for entry in facts[run]:
            if entry.index <= end.index and not _holds(lines.get(entry.kept.sequence, {}), entry.kept.payload):
                yield f"the archive of run {run} has not got {entry.kept.subject}"


def _holds(line: dict[str, Any], payload: bytes) -> bool:
    """Whether a line of an archive has this payload: as JSON, or in base64 where it is none."""
    if "payload" in line:
        return bool(line["payload"] == json.loads(payload))
    return base64.b64decode(line.get("base64", "")) == payload


def came_too_late(history: "History", entry: Entry) -> bool:
    """Whether a message was stored when its run had been archived."""
    if entry.stream not in ("RUN", "ATTEMPT"):
        return False
    archived = history.archived.get(run_of(entry.stream, entry.kept.subject))
    return archived is not None and archived.index < entry.index


def wrongly_forsaken(journal: Journal, end: Entry) -> Iterator[str]:
    """A run ends as failed when it stood as failed, and nobody resumed it, for as long as runs are kept.

    It stands so by the failure of its epoch, wherever that lies: a dispatcher that was late may have stored the failure
    of an epoch before behind it, which says nothing any more.
    """
    resumed = max((record.epoch for entry, record in journal.resumed if entry.index < end.index), default=0)
    failed = [entry for entry, failure in journal.failed if entry.index < end.index and failure.epoch == resumed]
    if not failed:
        yield f"run {journal.started.run} ended as failed although it did not stand so"
    elif end.kept.time - failed[0].kept.time < KEEP - CLOCKS_APART:
        yield f"run {journal.started.run} was ended as failed before its grace was over"


def all_is_archived(history: "History") -> bool:
    """Whether there is nothing left for a janitor to archive."""
    beginning = history.subjects.under("run", "end", "")
    ends = sum(entry.kept.subject.startswith(beginning) for entry in history.of("RUN"))
    return ends == len(history.of("ARCHIVE"))
