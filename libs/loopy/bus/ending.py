"""Storing a run's end, which nothing takes back.

Every end is stored on a condition of the same words, that nothing newer was said of its run as a whole. A cluster holds
two writes that are under way against each other only where their conditions are the same.
"""

import asyncio
from functools import partial

from loopy.bus.client import Bus, BusError
from loopy.bus.codec import record_message
from loopy.bus.facts import read_fact
from loopy.bus.places import Placed, clear
from loopy.bus.streams import RUNS
from loopy.runs.records import RunEnded

TRIES = 100
AGAIN_S = 0.02


async def store_end(bus: Bus, ended: RunEnded) -> Placed:
    """Store how a run ended unless it has ended: the first writer wins. BusError when others keep being first."""
    message, scope, after = record_message(bus.subjects, ended), bus.subjects.said_of(ended.run), 0
    for _ in range(TRIES):
        stored = await bus.publish_after(message, scope=scope, sequence=after)
        if stored is not None:
            return Placed(stored.sequence, first=True)
        said = await bus.last_each(RUNS, [scope])
        stands = next((fact for fact in said if fact.subject == message.subject), None)
        if stands is not None and not await clear(bus, RUNS, stands, partial(read_fact, bus.subjects)):
            return Placed(stands.sequence, False, stands)
        newest = max((fact.sequence for fact in said), default=0)
        if newest <= after:
            await asyncio.sleep(AGAIN_S)  # a replica answered that lags
        after = newest
    raise BusError(f"others wrote of run {ended.run} each time that its end was to be stored")


async def store_end_unless_steered(bus: Bus, ended: RunEnded) -> Placed | None:
    """Store how a run ended if nothing was ever said of it as a whole; None when something was. The server checks it:
    what is known here of who steered a run may be a moment old, and an end cannot be taken back.
    """
    message = record_message(bus.subjects, ended)
    stored = await bus.publish_after(message, scope=bus.subjects.said_of(ended.run), sequence=0)
    return None if stored is None else Placed(stored.sequence, first=True)
