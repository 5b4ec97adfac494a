"""Storing a run's end, which nothing takes back.

Every end is stored on a condition of the same words, that nothing newer was said of its run as a whole. A cluster holds
two writes that are under way against each other only where their conditions are the same.
"""

import asyncio

from loopy.bus.client import Bus, BusError
from loopy.bus.codec import record_message
from loopy.bus.messages import Stored
from loopy.bus.streams import RUNS
from loopy.runs.records import RunEnded

TRIES = 100
AGAIN_S = 0.02


async def store_end(bus: Bus, ended: RunEnded) -> Stored:
    """Store how a run ended unless it has ended: the first writer wins. BusError when others keep being first."""
    message, scope, after = record_message(bus.subjects, ended), bus.subjects.said_of(ended.run), 0
    for _ in range(TRIES):
        stored = await bus.publish_after(message, scope=scope, sequence=after)
        if stored is not None:
            return stored
        found = await bus.last(RUNS, scope)
        if found is not None and found.subject == message.subject:
            return Stored(found.sequence, first=False)
        if found is None or found.sequence == after:
            await asyncio.sleep(AGAIN_S)  # a replica answered that lags
        after = found.sequence if found is not None else 0
    raise BusError(f"others wrote of run {ended.run} each time that its end was to be stored")
