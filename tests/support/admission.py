"""What the journal of all runs says about slots: who was under way when, and in which order they were let in."""

from loopy.bus.client import Bus
from loopy.bus.codec import read_record
from loopy.bus.streams import RUNS
from loopy.runs.records import Record, RunAdmitted, RunCancelled, RunEnded, RunFailed


async def facts_of_all(bus: Bus) -> list[Record]:
    """Every fact of every run, in the order of the stream."""
    return [read_record(message) async for message in bus.read(RUNS, [bus.subjects.under("run", ">")])]


async def admitted(bus: Bus) -> list[str]:
    """The runs that were admitted, in order."""
    return [record.run for record in await facts_of_all(bus) if isinstance(record, RunAdmitted)]


async def most_under_way(bus: Bus) -> int:
    """The most runs that were admitted and not over at once; of all that had to be."""
    under_way: set[str] = set()
    most = 0
    for record in await facts_of_all(bus):
        match record:
            case RunAdmitted(run=run):
                under_way.add(run)
            case RunEnded(run=run) | RunFailed(run=run) | RunCancelled(run=run):
                under_way.discard(run)
            case _:
                pass
        most = max(most, len(under_way))
    return most
