"""The bus, as services use it. All that Loopy knows of NATS lies behind this class."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

from loopy.bus.blobs import Blobs
from loopy.bus.claims import CLAIM_HEADER, ValueLimits
from loopy.bus.connection import Connection
from loopy.bus.consumer import Consumption
from loopy.bus.cursor import Cursor
from loopy.bus.dead import DeadMessage, dead_message
from loopy.bus.errors import BusError, MessageTooLarge, StreamFull
from loopy.bus.incoming import watched
from loopy.bus.messages import DeadLetter, Handler, Message, Outgoing, Stored
from loopy.bus.provisioning import provision
from loopy.bus.reading import Reader
from loopy.bus.room import Room, room_of
from loopy.bus.streams import OUTLASTING_BLOBS, Consumer, Durability, Stream, consumer_name, stream_name
from loopy.bus.subjects import DEFAULT_NAMESPACE, Subjects
from loopy.bus.transport import Transport
from loopy.bus.writing import delete, publish_after, publish_once

__all__ = ["Bus", "BusError", "MessageTooLarge", "StreamFull"]

# So much fits into a message on any server: most are smaller, and nothing else is asked of those.
SMALL_BYTES = 16 << 10
_LIMITS = ValueLimits()
NOBODY = "nobody"  # who consumed a message that was found where a fact belongs, and set aside


class Bus:
    """One namespace on one NATS server (or cluster) with JetStream.

    A payload beyond `limits.claim_bytes` is stored beside its message, in a blob, and who reads or consumes the message
    is given the payload: nobody above the bus knows of that. One whose blob is lost is read as it is stored, which
    nothing can decode, and is set aside where it is consumed.

    `set_aside` counts the dead letters that were written here, by consumer and reason.
    """

    def __init__(
        self,
        connection: Transport,
        subjects: Subjects,
        limits: ValueLimits = _LIMITS,
        *,
        waits_for_room: bool = True,
    ) -> None:
        self.subjects = subjects
        self.limits = limits
        self._small = min(limits.claim_bytes, SMALL_BYTES)
        self._connection = connection
        self._waits_for_room = waits_for_room
        self.set_aside: Counter[tuple[str, str]] = Counter()
        self._reader = Reader(connection, subjects)
        self._blobs = Blobs(connection, subjects, waits_for_room=waits_for_room)
        self._unclaimed = tuple(subjects.under(prefix, "") for stream in OUTLASTING_BLOBS for prefix in stream.prefixes)
        self._consumptions: list[Consumption] = []

    @classmethod
    async def connect(
        cls, url: str, *, namespace: str = DEFAULT_NAMESPACE, name: str, limits: ValueLimits = _LIMITS
    ) -> "Bus":
        """Connect as `name`, which the server shows to operators.

        BusError when the server cannot be reached, is older than 2.12 or has no JetStream; NamespaceError.
        """
        subjects = Subjects(namespace)
        return cls(await Connection.open(url, name), subjects, limits)

    def hurried(self) -> "Bus":
        """The same, for whoever is waited for: publishing to a full stream raises StreamFull instead of waiting."""
        return Bus(self._connection, self.subjects, self.limits, waits_for_room=False)

    async def close(self) -> None:
        """Send what is still to be sent, and close for good."""
        await self._connection.close()

    async def closed(self) -> None:
        """Return when the connection is closed for good; what uses the bus can then only end."""
        await self._connection.closed()

    @property
    def connected(self) -> bool:
        """Whether the server can be talked to now; lost connections are opened again for ever."""
        return self._connection.connected

    @property
    def reconnects(self) -> int:
        """How often the connection was made anew."""
        return self._connection.generation

    @property
    def consuming(self) -> list[Consumer]:
        """What is consumed here at this moment."""
        return [consumption.consumer for consumption in self._consumptions]

    @property
    def bound(self) -> bool:
        """Whether the server refuses none of what is consumed here."""
        return all(consumption.bound for consumption in self._consumptions)

    async def lag(self, consumer: Consumer) -> int:
        """How many messages a consumer has still to deal with, those delivered included. One try; BusError."""
        stream, name = stream_name(self.subjects, consumer.stream), consumer_name(self.subjects, consumer)
        info = await self._connection.api(f"CONSUMER.INFO.{stream}.{name}", {})
        return int(info["num_pending"]) + int(info["num_ack_pending"])

    async def dealt_with(self, consumer: Consumer, stream: Stream) -> int:
        """The sequence up to which a consumer of a stream has dealt with all that is for it. One try; BusError."""
        position = await self.position(stream)
        call = f"CONSUMER.INFO.{stream_name(self.subjects, stream)}.{consumer_name(self.subjects, consumer)}"
        info = await self._connection.api(call, {})
        if info["num_pending"] == info["num_ack_pending"] == 0:
            return position
        return min(position, int(info["ack_floor"]["stream_seq"]))

    @property
    def max_payload(self) -> int:
        """The most bytes of headers and payload that the server takes in one message."""
        return self._connection.max_payload

    @property
    def largest_value(self) -> int:
        """The most bytes of payload that may be stored, in a message or beside it."""
        return self.limits.largest_value_bytes

    async def provision(
        self, *, replicas: int = 1, pools: Sequence[str] = ("default",), durability: Durability = "process"
    ) -> None:
        """Create or update the namespace's streams and consumers; harmless when done again. BusError.

        `durability` says what the server is set up for; streams that are there keep the one that they were made with.
        """
        await provision(self._connection, self.subjects, replicas, pools, durability)

    async def publish_once(self, message: Outgoing) -> Stored:
        """Store a message unless its subject has one already: the first writer wins.

        Waits through outages, and while the stream is full, until the message is stored. BusError when it never can
        be (MessageTooLarge before anything is sent), or when the connection is closed for good.
        """
        if len(message.payload) > self._small:
            message = await self._claimed_if_large(message)
        return await publish_once(self._connection, message, wait_for_room=self._waits_for_room)

    async def publish_after(self, message: Outgoing, *, scope: str, sequence: int) -> Stored | None:
        """Store a message if `sequence` is still the last of all that match the filter `scope` (0: nothing does).

        None when something newer is there. After an outage that may be this very message: read, then decide anew.
        """
        if len(message.payload) > self._small:
            message = await self._claimed_if_large(message)
        return await publish_after(self._connection, message, scope, sequence, wait_for_room=self._waits_for_room)

    async def delete(self, stream: Stream, sequence: int) -> bool:
        """Delete one message for good; whether it was there. Waits through outages. BusError when that may not be."""
        return await delete(self._connection, stream_name(self.subjects, stream), sequence)

    async def room(self, stream: Stream) -> Room:
        """How full a stream is. One try; BusError."""
        return await room_of(self._connection, self.subjects, stream)

    async def last(self, stream: Stream, subject: str) -> Message | None:
        """The newest message of a subject, which may hold wildcards; None when there is none."""
        message = await self._reader.last(stream, subject)
        return message if message is None else await self._whole(message)

    async def last_by_leader(self, stream: Stream, subject: str) -> bytes | None:
        """The newest payload of a subject, or None, by the stream's leader: what was acknowledged is never missed."""
        return await self._reader.last_by_leader(stream, subject)

    async def last_each(self, stream: Stream, filters: Sequence[str]) -> list[Message]:
        """The newest message of every subject that matches one of the filters, by sequence.

        On a cluster it may lag behind a write that was just acknowledged: compare sequences where that matters.
        """
        messages = await self._reader.last_each(stream, filters)
        return [await self._whole(message) if CLAIM_HEADER in message.headers else message for message in messages]

    async def read(
        self,
        stream: Stream,
        filters: Sequence[str],
        *,
        after: int = 0,
        follow: bool = False,
        opened: Callable[[Cursor], None] | None = None,
    ) -> AsyncGenerator[Message]:
        """Every message that matches, behind sequence `after`, in order, each once, through reconnects.

        Ends at the stream's end, or goes on for ever with `follow`. Filters may not overlap (BusError). `opened` is
        told of each cursor that it is read by: one at first, and one after each loss.
        """
        async with aclosing(self._reader.read(stream, filters, after, follow=follow, opened=opened)) as messages:
            async for message in messages:
                yield await self._whole(message) if CLAIM_HEADER in message.headers else message

    async def watch(self, pattern: str) -> AsyncGenerator[Message]:
        """What is published on a pattern of subjects from now on, at most once: what passes in an outage is missed."""
        async for message in self._connection.messages(pattern):
            yield await self._whole(watched(message, datetime.now(UTC)))

    async def redeem(self, message: Message) -> Message:
        """A message that still has its claim, with its payload. LostBlob, Undecodable, BusError."""
        return await self._blobs.redeem(message)

    async def delete_blob(self, message: Message) -> None:
        """Delete the blob that a message claims, for when the message itself is deleted. BusError.

        Nothing when it claims none, or another's: one that was put back for its consumer does.
        """
        await self._blobs.delete(message)

    async def position(self, stream: Stream) -> int:
        """The sequence of the stream's newest message, ever; 0 when it never had one."""
        return await self._reader.position(stream)

    async def oldest(self, stream: Stream) -> int:
        """The sequence of the oldest message that the stream still has; of an empty one, that which comes next."""
        return await self._reader.oldest(stream)

    async def server_time(self, stream: Stream) -> datetime:
        """What the clock shows of the server that dates the stream's messages: ages are told by it, not by ours."""
        return await self._reader.server_time(stream)

    async def consume(
        self, consumer: Consumer, handler: Handler, *, in_flight: int, stopping: asyncio.Event, grace_s: float = 10
    ) -> None:
        """Give messages to the handler, up to `in_flight` at once, and do what it says is to become of each.

        A handler may take as long as it needs. One that raises is logged and tried again, ever later; after ten
        deliveries its message becomes a dead letter, as does at once one that is Undecodable. When `stopping` is set
        nothing more is taken, handlers have `grace_s` seconds to finish, and the rest is given back to others.
        BusError when the connection is closed for good.
        """

        async def bury(dead: DeadMessage) -> None:
            await self._bury(dead, consumer.name)

        given = self._blobs.redeeming(handler)
        consumption = Consumption(self._connection, self.subjects, consumer, given, in_flight=in_flight, bury=bury)
        self._consumptions.append(consumption)
        try:
            await consumption.run(stopping, grace_s)
        finally:
            self._consumptions.remove(consumption)

    async def bury(self, message: Message, why: DeadLetter) -> None:
        """Set a message aside that nobody consumes, once. BusError."""
        await self._bury(DeadMessage.of(message, why, datetime.now(UTC)), NOBODY)

    async def _bury(self, dead: DeadMessage, consumer: str) -> None:
        letter = dead_message(self.subjects, dead, self.max_payload)
        await publish_once(self._connection, letter, wait_for_room=False)  # others need the place that it has here
        self.set_aside[consumer, dead.reason] += 1

    async def _claimed_if_large(self, message: Outgoing) -> Outgoing:
        """What is to be published of a message, its payload stored first if it is large. MessageTooLarge, BusError."""
        size, most = len(message.payload), self.largest_value
        if size <= self.limits.in_message(self.max_payload) or message.subject.startswith(self._unclaimed):
            return message
        if size > most:
            raise MessageTooLarge(message.subject, "payload", size, most, "LOOPY_LARGEST_VALUE_BYTES allows")
        return await self._blobs.put(message)

    async def _whole(self, message: Message) -> Message:
        return await self._blobs.redeem_if_possible(message)
