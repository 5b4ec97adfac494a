"""Blobs: payloads that are too large for their messages, stored beside them in chunks, each chunk a message.

A blob is stored before the message that claims it, chunk by chunk, first writer wins. Whoever dies in between leaves
chunks that the next try finds there, or that are forgotten by age.
"""

import asyncio
import logging
from collections.abc import Awaitable

from loopy.bus.claims import (
    CLAIM_HEADER,
    Claim,
    blob_subjects,
    chunks_of,
    claim_to,
    claiming,
    mismatch,
    read_claim,
    redeemed,
)
from loopy.bus.messages import DeadLetter, Handler, Message, Outgoing, Verdict, patience
from loopy.bus.reading import Reader
from loopy.bus.retrying import patiently
from loopy.bus.streams import BLOBS, stream_name
from loopy.bus.subjects import Subjects
from loopy.bus.transport import Transport
from loopy.bus.undecodable import Undecodable
from loopy.bus.writing import publish_once

# So many chunks of a blob are under way at once: it is no faster with more, and they are held in memory.
AT_ONCE = 4

_log = logging.getLogger("loopy.bus")


class LostBlob(Exception):
    """A blob that cannot be had. `may_come` when a chunk is missing, which a server that lags may get yet."""

    def __init__(self, claim: Claim, why: str, *, may_come: bool = False) -> None:
        super().__init__(f"the payload of {claim.size:,} bytes is lost: blob {claim.blob}: {why}")
        self.may_come = may_come


class Blobs:
    """The blobs of one namespace."""

    def __init__(self, connection: Transport, subjects: Subjects, *, waits_for_room: bool = True) -> None:
        self._waits_for_room = waits_for_room
        self._connection = connection
        self._subjects = subjects
        self._reader = Reader(connection, subjects)
        self._stream = stream_name(subjects, BLOBS)

    async def put(self, message: Outgoing) -> Outgoing:
        """Store a message's payload; what is to be published instead of it. Waits as `publish_once` does. BusError."""
        claim = claim_to(message, self._connection.max_payload)
        chunks = [
            Outgoing(self._subjects.chunk(claim.blob, number), chunk)
            for number, chunk in enumerate(chunks_of(message.payload, claim))
        ]
        for first in range(0, len(chunks), AT_ONCE):
            some = chunks[first : first + AT_ONCE]
            await asyncio.gather(
                *(publish_once(self._connection, chunk, wait_for_room=self._waits_for_room) for chunk in some)
            )
        return claiming(message, claim)

    async def get(self, claim: Claim) -> bytes:
        """The payload that was claimed, byte for byte. LostBlob, BusError."""
        chunks: list[bytes] = []
        for first in range(0, claim.chunks, AT_ONCE):
            some = range(first, min(first + AT_ONCE, claim.chunks))
            chunks += await asyncio.gather(*(self._chunk(claim, number) for number in some))
        payload = b"".join(chunks)
        wrong = mismatch(claim, payload)
        if wrong is not None:
            raise LostBlob(claim, wrong)
        return payload

    async def redeem(self, message: Message) -> Message:
        """The message as it was published: with its payload, without its claim. LostBlob, Undecodable, BusError."""
        if CLAIM_HEADER not in message.headers:
            return message
        claim = read_claim(message.headers)
        return redeemed(message, claim, await self.get(claim))

    async def redeem_if_possible(self, message: Message) -> Message:
        """As `redeem`; a message whose blob is lost is given as it is stored, which nothing can decode. BusError."""
        try:
            return await self.redeem(message)
        except (LostBlob, Undecodable) as error:
            _log.warning("blob.lost", extra={"subject": message.subject, "error": str(error)})
            return message

    def redeeming(self, handler: Handler) -> Handler:
        """The handler, given messages with their payloads; where that cannot be had, the message is set aside.

        A chunk that is missing may be on its way to the server that was asked, so that is waited for.
        """

        async def redeem_first(message: Message) -> Verdict:
            try:
                whole = await self.redeem(message)
            except LostBlob as lost:
                wait = patience(message.deliveries) if lost.may_come else None
                return wait or DeadLetter("lost_blob", str(lost))
            return await handler(whole)

        def handle(message: Message) -> Awaitable[Verdict]:
            return redeem_first(message) if CLAIM_HEADER in message.headers else handler(message)

        return handle

    async def delete(self, message: Message) -> None:
        """Delete what a message's payload lies in, if it lies in a blob of its own. ApiRefused, BusError."""
        chunks = blob_subjects(self._subjects, message)
        if chunks is not None:
            await patiently(
                self._connection, lambda: self._connection.api(f"STREAM.PURGE.{self._stream}", {"filter": chunks})
            )

    async def _chunk(self, claim: Claim, number: int) -> bytes:
        subject = self._subjects.chunk(claim.blob, number)
        found = await self._reader.last(BLOBS, subject)
        chunk = found.payload if found is not None else await self._reader.last_by_leader(BLOBS, subject)
        if chunk is None:
            raise LostBlob(claim, f"chunk {number} of {claim.chunks} is not there", may_come=True)
        if len(chunk) != claim.length(number):
            raise LostBlob(claim, f"chunk {number} has {len(chunk):,} bytes instead of {claim.length(number):,}")
        return chunk
