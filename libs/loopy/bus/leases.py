"""Leases: who may execute an attempt now. One message an attempt, renewed while it is executed.

A lease is taken first writer wins. Whoever takes it first knows that nobody ever began the attempt, since a lease is
kept as long as its attempt; so nothing has to be looked up before the agent begins. It is renewed by compare-and-set on
its own subject. One that has not been renewed for its whole time, by the clock of the server that dates its messages,
may be taken over in the same manner, and so may at once one that was given back. Its revision, the sequence of the
message by which it was taken, is a fencing token: whoever takes it later has a larger one. A lease keeps work from
being done twice; that a result is recorded once does not depend on it.
"""

import asyncio
import itertools
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

import msgspec

from loopy.bus.client import Bus
from loopy.bus.messages import Message, Outgoing
from loopy.bus.streams import LEASES
from loopy.bus.undecodable import Undecodable, decoder
from loopy.clock import Clock

# A read may lag behind the write that has just lost; then what stands is read again, so often, after a moment.
TRIES = 5
AGAIN_S = 0.1


class Holder(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who holds a lease. `taking` counts an executor's leases, so that no two are the same one.

    `earlier` is how many held it before: one more than that is the most often that the attempt can have been begun.
    `released` when it was given back.
    """

    executor: str
    taking: int
    released: bool = False
    earlier: int = 0


class Free(msgspec.Struct, frozen=True):
    """Nobody holds it: to be taken behind this sequence (0: nothing is there), after so many `earlier` holders."""

    after: int
    earlier: int = 0


class Ours(msgspec.Struct, frozen=True):
    """It is ours already: a write of ours was stored whose answer was lost."""

    sequence: int


class Theirs(msgspec.Struct, frozen=True):
    """Another holds it, or did, and renewed it last at this time; behind this sequence it may be taken over."""

    after: int
    renewed_at: datetime
    earlier: int = 1


Standing: TypeAlias = Free | Ours | Theirs


def standing(ours: Holder, found: Message | None) -> Standing:
    """How a lease stands, by the newest message of its subject. What cannot be read is another's."""
    if found is None:
        return Free(0)
    try:
        holder = _decode(found.payload)
    except Undecodable:
        return Theirs(found.sequence, found.time)
    if holder.released:
        return Free(found.sequence, holder.earlier + 1)
    if (holder.executor, holder.taking) == (ours.executor, ours.taking):
        return Ours(found.sequence)
    return Theirs(found.sequence, found.time, holder.earlier + 1)


class Lease:
    """A lease that was taken. `revision` is its fencing token, the same for as long as it is held.

    `is_first` says that nobody held it before, so that the attempt has never been begun.
    """

    def __init__(self, bus: Bus, clock: Clock, subject: str, holder: Holder, seconds: int) -> None:
        self.revision = 0
        self.is_first = False
        self._bus = bus
        self._clock = clock
        self._subject = subject
        self._holder = holder
        self._seconds = seconds
        self._sequence = 0
        self._renewed_at = 0.0

    @property
    def age_s(self) -> float:
        """The seconds since it was taken, or renewed last."""
        return self._clock.monotonic() - self._renewed_at

    @property
    def overdue(self) -> bool:
        """Whether others may have taken it over: a process that stood still did not renew it in time."""
        return self.age_s >= self._seconds

    async def take(self) -> bool:
        """Take it: as its first holder, or from one who gave it back or is silent. Waits through outages."""
        began = self._clock.monotonic()
        stored = await self._bus.publish_once(Outgoing(self._subject, _encode(self._holder)))
        if stored.first:
            self.is_first = True
            self._hold(stored.sequence, began)
            return True
        match await self._standing():
            case Ours(sequence):
                self.is_first = True
                self._hold(sequence, began)
                return True
            case Free(after, earlier):
                return await self._follow(after, earlier)
            case Theirs(after, renewed_at, earlier):
                silent = await self._bus.server_time(LEASES) - renewed_at
                return silent.total_seconds() >= self._seconds and await self._follow(after, earlier)

    async def renew(self) -> bool:
        """Hold it for its whole time from now on; false when it is lost. Waits through outages."""
        return await self._replace(self._sequence)

    async def release(self) -> None:
        """Let others take it at once. Nothing when it is lost."""
        await self._write(msgspec.structs.replace(self._holder, released=True), self._sequence)

    async def _follow(self, after: int, earlier: int) -> bool:
        """Be its holder after so many others."""
        self._holder = msgspec.structs.replace(self._holder, earlier=earlier)
        return await self._replace(after)

    async def _replace(self, after: int) -> bool:
        """Be the newest of the subject, behind `after` or what turns out to be our own; whether it is."""
        began = self._clock.monotonic()
        for _ in range(TRIES):
            stored = await self._write(self._holder, after)
            if stored is not None:
                self._hold(stored, began)
                return True
            found = await self._standing()
            if not isinstance(found, Ours):
                return False  # whoever had it in between has a larger token, even one that gave it back
            if found.sequence == after:
                await asyncio.sleep(AGAIN_S)
            after = found.sequence
        return False

    async def _standing(self) -> Standing:
        return standing(self._holder, await self._bus.last(LEASES, self._subject))

    def _hold(self, sequence: int, since: float) -> None:
        self.revision = self.revision or sequence
        self._sequence, self._renewed_at = sequence, since

    async def _write(self, holder: Holder, after: int) -> int | None:
        """Store this as the newest of its subject; None when something else is."""
        message = Outgoing(self._subject, _encode(holder))
        stored = await self._bus.publish_after(message, scope=self._subject, sequence=after)
        return stored.sequence if stored is not None else None


class Leases:
    """The leases that one executor takes, each for `seconds`."""

    def __init__(self, bus: Bus, clock: Clock, executor: str, seconds: int) -> None:
        self.seconds = seconds
        self._bus = bus
        self._clock = clock
        self._executor = executor
        self._takings = itertools.count(1)

    async def take(self, run: str, step: str, epoch: int, attempt: int) -> Lease | None:
        """The lease of an attempt; None when another holds it. Waits through outages."""
        holder = Holder(self._executor, next(self._takings))
        subject = self._bus.subjects.lease(run, step, epoch, attempt)
        lease = Lease(self._bus, self._clock, subject, holder, self.seconds)
        return lease if await lease.take() else None


_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], Holder] = decoder(Holder, "bad_lease")
