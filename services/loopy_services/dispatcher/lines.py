"""One slot's queue as this process changes it: by compare-and-set, all changes that wait at once in one write."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress

import msgspec

from loopy.bus.client import Bus, BusError
from loopy.bus.messages import Message, Outgoing
from loopy.bus.places import set_aside
from loopy.bus.streams import SLOTS
from loopy.bus.undecodable import Undecodable, decoder
from loopy.runs.slots import Place, Queue, entered, without

# A queue that nobody is in is forgotten after so many seconds; whoever comes then begins a new one.
FORGOTTEN_AFTER_S = 86_400
# A read may lag behind the write that has just won; then it is read again, so often.
TRIES = 500
PAUSE_S = 0.01
PLACE_BYTES = 128  # what a place takes at most, as a rule: a queue has as many as a message has room for


class Enter(msgspec.Struct, frozen=True):
    """Have a run wait; its ticket is given when it is written."""

    place: Place


class Leave(msgspec.Struct, frozen=True):
    """Have a run wait or hold no more, in this epoch of it and earlier ones."""

    run: str
    epoch: int


class Look(msgspec.Struct, frozen=True):
    """Change nothing but the limit, where that has changed."""


Change = Enter | Leave | Look


class Line:
    """The queue of one slot. `known` is what it was when last seen, with its place in the stream."""

    def __init__(self, bus: Bus, empty: Queue) -> None:
        self._bus = bus
        self._subject = bus.subjects.slot(empty.name, empty.key)
        self._empty = empty
        self._limit = empty.limit
        self._capacity = bus.max_payload // PLACE_BYTES
        self._known: tuple[Queue, int] | None = None
        self._waiting: list[Change] = []
        self._turn = asyncio.Lock()

    async def change(self, change: Change, limit: int) -> Queue:
        """The queue once the change is stored in it, and this limit. BusError when it never can be."""
        self._limit = limit
        self._waiting.append(change)
        async with self._turn:
            if not any(waiting is change for waiting in self._waiting) and self._known is not None:
                return self._known[0]
            batch, self._waiting = self._waiting, []
            try:
                self._known = await self._stored(batch)
            except BaseException:
                self._waiting = [other for other in batch if other is not change] + self._waiting
                raise
            return self._known[0]

    def is_full(self, queue: Queue) -> bool:
        """Whether a queue takes no more."""
        return len(queue.places) >= self._capacity

    async def _stored(self, batch: list[Change]) -> tuple[Queue, int]:
        """The queue with every change. What was last seen may be old: a change is stored behind what it was made to,
        and so is a Leave that changes nothing, lest an Enter be overlooked; that a queue is full has to be seen now.
        """
        known = self._known if self._known is not None and not self.is_full(self._known[0]) else await self._read()
        for _ in range(TRIES):
            queue, after = known
            changed = self._changed(queue, after, batch)
            if changed == queue and not any(isinstance(change, Leave) for change in batch):
                return known
            stored = await self._bus.publish_after(self._message(changed), scope=self._subject, sequence=after)
            if stored is not None:
                return changed, stored.sequence
            known = await self._read()
            if known[1] <= after:
                await asyncio.sleep(PAUSE_S)
        raise BusError(f"{self._subject} was changed by others {TRIES} times in the meantime")

    def _changed(self, queue: Queue, after: int, batch: list[Change]) -> Queue:
        changed = queue if queue.limit == self._limit else msgspec.structs.replace(queue, limit=self._limit)
        for change in batch:
            match change:
                case Enter(place=place):
                    changed = entered(changed, msgspec.structs.replace(place, ticket=after), self._capacity)
                case Leave(run=run, epoch=epoch):
                    changed = without(changed, run, epoch)
                case Look():
                    pass
        return changed

    async def _read(self) -> tuple[Queue, int]:
        message = await self._bus.last(SLOTS, self._subject)
        if message is None:
            return self._empty, 0
        try:
            return read_queue(message.payload), message.sequence
        except Undecodable as error:
            await set_aside(self._bus, message, error)
            return await self._before(message), message.sequence

    async def _before(self, nonsense: Message) -> Queue:
        """The queue as it was before nonsense was laid over it, by the stream or else as it was seen here."""
        found = self._known[0] if self._known is not None else self._empty
        async with aclosing(self._bus.read(SLOTS, [self._subject])) as messages:
            async for message in messages:
                if message.sequence >= nonsense.sequence:
                    break
                with suppress(Undecodable):
                    found = read_queue(message.payload)
        return found

    def _message(self, queue: Queue) -> Outgoing:
        headers = {} if queue.places else {"Nats-TTL": str(FORGOTTEN_AFTER_S)}
        return Outgoing(self._subject, _encode(queue), headers)


_encode = msgspec.json.Encoder().encode
read_queue: Callable[[bytes], Queue] = decoder(Queue, "bad_queue")
