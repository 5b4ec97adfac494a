"""After a power failure: attempts that were asked for and are gone, while the facts that asked for them are on disk.

With `LOOPY_DURABILITY=power-loss` facts are on the disk before they count, attempts and leases a moment later. So a
dispatcher that starts looks at the runs of which something was recorded since shortly before the newest attempt that is
left, and asks again for what they are owed. What is there already stays as it is.
"""

from collections.abc import Iterator
from datetime import timedelta

import structlog

from loopy.bus.client import Bus
from loopy.bus.journal import read_run
from loopy.bus.messages import Message
from loopy.bus.newest import newest
from loopy.bus.streams import ATTEMPTS, RUNS
from loopy_services.dispatcher.runs import RunDecider

KINDS = ("start", "result", "admit", "resume")
MARGIN = timedelta(minutes=10)
FIRST_LOOK = 1_000

log = structlog.get_logger()


async def ask_again(bus: Bus, decider: RunDecider) -> None:
    """Ask again for all attempts that may have been lost. Harmless at any time, and by any number of dispatchers."""
    runs = list(dict.fromkeys(_runs(await _recent(bus))))
    for run in runs:
        state = await read_run(bus, run)
        if state is not None:
            await decider.ask_again(state)
    log.info("attempts.asked_again", runs=len(runs))


async def _recent(bus: Bus) -> list[Message]:
    """The facts that may have asked for an attempt since shortly before the newest attempt that is left."""
    last = await bus.last(ATTEMPTS, bus.subjects.under("attempt", ">"))
    filters, limit = [bus.subjects.every(kind) for kind in KINDS], FIRST_LOOK
    while True:
        facts = await newest(bus, RUNS, filters, limit)
        if len(facts) < limit or (last is not None and facts[0].time < last.time - MARGIN):
            return [fact for fact in facts if last is None or fact.time >= last.time - MARGIN]
        limit *= 4


def _runs(facts: list[Message]) -> Iterator[str]:
    return (fact.subject.split(".")[3] for fact in facts)
