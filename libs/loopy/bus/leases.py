"""Leases: who may execute an attempt now. One message a step, that the server forgets unless it is renewed.

A lease is taken first writer wins, renewed by compare-and-set on its own subject, and given back by a last message that
others may follow at once. Its revision, the sequence of the message by which it was taken, is a fencing token: whoever
takes it later has a larger one. A lease keeps work from being done twice; that a result is recorded once does not
depend on it.
"""

import itertools
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from loopy.bus.client import Bus
from loopy.bus.messages import Message, Outgoing
from loopy.bus.streams import LEASES
from loopy.bus.undecodable import Undecodable, decoder
from loopy.clock import Clock

# A read may lag behind the write that has just lost; then what stands is read again, so often.
TRIES = 5
SHORTEST_TTL_S = 1


class Holder(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who holds a lease, and for which attempt. `taking` counts an executor's leases, so that no two are the same one.

    `released` when it was given back.
    """

    executor: str
    attempt: int
    taking: int
    released: bool = False


class Free(msgspec.Struct, frozen=True):
    """Nobody holds it: to be taken behind this sequence (0: nothing is there)."""

    after: int


class Ours(msgspec.Struct, frozen=True):
    """It is ours already: a write of ours was stored whose answer was lost."""

    sequence: int


class Theirs(msgspec.Struct, frozen=True):
    """Another holds it."""


Standing: TypeAlias = Free | Ours | Theirs


def standing(ours: Holder, found: Message | None) -> Standing:
    """How a lease stands, by the newest message of its subject. What cannot be read is another's."""
    if found is None:
        return Free(0)
    try:
        holder = _decode(found.payload)
    except Undecodable:
        return Theirs()
    if holder.released:
        return Free(found.sequence)
    return Ours(found.sequence) if holder == ours else Theirs()


class Lease:
    """A lease that was taken. `revision` is its fencing token, the same for as long as it is held."""

    def __init__(self, bus: Bus, clock: Clock, subject: str, holder: Holder, seconds: int) -> None:
        self.revision = 0
        self._bus = bus
        self._clock = clock
        self._subject = subject
        self._holder = holder
        self._seconds = seconds
        self._sequence = 0
        self._renewed_at = 0.0
        self._left = False

    @property
    def overdue(self) -> bool:
        """Whether the server may have forgotten it: a process that stood still did not renew it in time."""
        return self._clock.monotonic() - self._renewed_at >= self._seconds

    async def renew(self) -> bool:
        """Hold it for its whole time from now on; false when it is lost. Waits through outages.

        One that the server forgot meanwhile, and that nobody took, is held again.
        """
        began = self._clock.monotonic()
        after = self._sequence
        for _ in range(TRIES):
            stored = await self._write(self._holder, after, self._seconds)
            if stored is not None:
                self._hold(stored, began)
                return True
            match standing(self._holder, await self._bus.last(LEASES, self._subject)):
                case Ours(sequence):
                    after = sequence
                case Free(sequence):
                    after = sequence
                case Theirs():
                    return False
        return False

    def leave(self) -> None:
        """Let it run out by itself: nobody will want it."""
        self._left = True

    async def release(self) -> None:
        """Let others take it at once. Nothing when it is lost, or left."""
        if self._left:
            return
        given_back = msgspec.structs.replace(self._holder, released=True)
        await self._write(given_back, self._sequence, SHORTEST_TTL_S)

    def _hold(self, sequence: int, since: float) -> None:
        self.revision = self.revision or sequence
        self._sequence, self._renewed_at = sequence, since

    async def _write(self, holder: Holder, after: int, seconds: int) -> int | None:
        """Store this as the newest of its subject, for so many seconds; None when something else is."""
        message = Outgoing(self._subject, _encode(holder), {"Nats-TTL": str(seconds)})
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

    async def take(self, run: str, step: str, attempt: int) -> Lease | None:
        """The lease of a step, for an attempt of it; None when another holds it. Waits through outages."""
        holder = Holder(self._executor, attempt, next(self._takings))
        lease = Lease(self._bus, self._clock, self._bus.subjects.lease(run, step), holder, self.seconds)
        return lease if await lease.renew() else None


_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], Holder] = decoder(Holder, "bad_lease")
