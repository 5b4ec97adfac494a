"""Storing what has one place of its own, though nonsense may lie there already.

The first writer wins, but only what can be understood is a writer's. Else a stranger's nonsense in the place of a
run's end, say, would keep the run from ever having one. It is set aside as a dead letter and deleted, and what belongs
there is stored. Nothing can be laid over a fact: the server takes one message a place.

Results have a rule of their own (`facts`): nonsense in the place of one is the failure of that attempt.
"""

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec
import structlog

from loopy.bus.claims import CLAIM_HEADER
from loopy.bus.client import Bus, BusError
from loopy.bus.codec import record_message
from loopy.bus.facts import read_fact
from loopy.bus.messages import DeadLetter, Message, Outgoing
from loopy.bus.streams import ATTEMPTS, RUNS, Stream
from loopy.bus.undecodable import Undecodable
from loopy.runs.records import AttemptRequested, Record

TRIES = 50
STALE_READS = 50
STALE_READ_PAUSE_S = 0.02

Read = Callable[[Message], object]

_log = structlog.get_logger()


class Placed(msgspec.Struct, frozen=True):
    """What stands in a place now: ours when it was the `first`, else what `stands` there.

    None when that is gone already: its run was archived meanwhile.
    """

    sequence: int
    first: bool
    stands: Message | None = None


async def publish_record(bus: Bus, record: Record, *, pool: str = "default") -> Placed:
    """Store a fact of a run, or an attempt for the executors of a pool, unless it stands already. BusError."""
    stream = ATTEMPTS if isinstance(record, AttemptRequested) else RUNS
    message = record_message(bus.subjects, record, pool=pool)
    return await publish_in_place(bus, stream, message, partial(read_fact, bus.subjects))


async def publish_in_place(bus: Bus, stream: Stream, message: Outgoing, read: Read) -> Placed:
    """Store a message unless its subject has one that `read` understands (else it raises Undecodable).

    Waits through outages, as `publish_once` does. BusError.
    """
    for _ in range(TRIES):
        stored = await bus.publish_once(message)
        if stored.first:
            return Placed(stored.sequence, first=True)
        found = await _newest(bus, stream, message.subject, stored.sequence)
        if found is None or not await clear(bus, stream, found, read):
            return Placed(stored.sequence, False, found)
    raise BusError(f"others wrote nonsense to {message.subject} each time that it was tried")


async def clear(bus: Bus, stream: Stream, message: Message, read: Read) -> bool:
    """Make room where a message is nonsense: set it aside, and delete it; whether it was. BusError."""
    try:
        read(message)
    except Undecodable as why:
        await set_aside(bus, message, why)
        await bus.delete(stream, message.sequence)
        return True
    return False


async def set_aside(bus: Bus, nonsense: Message, why: Undecodable) -> None:
    """Keep what nobody consumes, and nobody understands, as a dead letter. Done again it changes nothing. BusError."""
    _log.warning("message.dead", subject=nonsense.subject, sequence=nonsense.sequence, reason=why.reason)
    await bus.bury(nonsense, DeadLetter(why.reason, why.detail, foreign=True))


async def _newest(bus: Bus, stream: Stream, subject: str, at_least: int) -> Message | None:
    """The newest message of a subject, not older than what is known to be there; None when it was deleted since.

    A replica may lag behind, also with the blob in which a payload lies.
    """
    found = None
    for _ in range(STALE_READS):
        found = await bus.last(stream, subject)
        if found is not None and found.sequence >= at_least and CLAIM_HEADER not in found.headers:
            return found
        await asyncio.sleep(STALE_READ_PAUSE_S)
    return found if found is not None and found.sequence >= at_least else None
