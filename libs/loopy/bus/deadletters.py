"""The messages that were set aside: which there are, and what becomes of each.

Nothing is deleted. What becomes of a dead letter is a fact of its own, `<ns>.settled.<stream>.<sequence>`, with who
said so and when; the first writer wins. One that is replayed is put back first and settled then: whoever dies in
between leaves it open, and to replay it again changes nothing.
"""

import base64
import re
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from loopy.bus.blobs import LostBlob
from loopy.bus.client import Bus, MessageTooLarge
from loopy.bus.dead import DeadMessage, read_dead
from loopy.bus.messages import Message, Outgoing
from loopy.bus.replaying import may_be_replayed, replay_message
from loopy.bus.streams import DEAD, STREAMS
from loopy.bus.undecodable import Undecodable, decoder
from loopy.runs.records import Instant

Fate: TypeAlias = Literal["replayed", "dropped"]
_ID = re.compile(r"([A-Z]+)-([0-9]{1,19})")


class Settlement(msgspec.Struct, frozen=True):
    """What became of a dead letter: its fate, who decided so, and when."""

    fate: Fate
    by: str
    at: Instant


class SetAside(msgspec.Struct, frozen=True):
    """A dead letter; `settled` is None while it is open."""

    letter: DeadMessage
    settled: Settlement | None = None

    @property
    def id(self) -> str:
        """What people call it: `EVT-17`."""
        return self.letter.id


class Unsettled(Exception):
    """A dead letter cannot be given this fate; the text says why."""


_decode_settlement: Callable[[bytes], Settlement] = decoder(Settlement, "bad_settlement")


def place_of_id(text: str) -> tuple[str, int] | None:
    """The stream and sequence in `EVT-17`, in any case; None when it is no id."""
    match = _ID.fullmatch(text.upper())
    return None if match is None else (match[1], int(match[2]))


def described(found: SetAside, whole: DeadMessage | None = None) -> dict[str, Any]:
    """A dead letter for programs; of a `whole` one with headers and payload, in base64 and where it is text as text."""
    letter = found.letter
    about = {
        "id": letter.id,
        "stream": letter.stream,
        "subject": letter.subject,
        "sequence": letter.sequence,
        "reason": letter.reason,
        "detail": letter.detail,
        "at": letter.at,
        "stored_as": letter.stored_as,
        "stored_at": letter.stored_at,
        "settled": found.settled,
    }
    if whole is None:
        return about
    payload = base64.b64encode(whole.payload).decode()
    more = {"headers": whole.headers, "payload": payload, "text": text_of(whole), "truncated": whole.truncated}
    return about | more


def text_of(letter: DeadMessage) -> str | None:
    """The payload as text; None where it is none."""
    try:
        return letter.payload.decode()
    except UnicodeDecodeError:
        return None


async def list_dead(bus: Bus, *, reason: str | None = None, stream: str | None = None) -> list[SetAside]:
    """Every dead letter, settled or not, of this reason and stream, by when it was set aside; without payloads."""
    found: dict[str, SetAside] = {}
    pattern = bus.subjects.under("dead", stream or "*", "*")
    async with aclosing(bus.read(DEAD, [pattern])) as messages:
        async for message in messages:
            letter = _letter(bus, message)
            if letter is not None and reason in (None, letter.reason):
                found[message.subject] = SetAside(msgspec.structs.replace(letter, payload=b""))
    for subject, settlement in (await _settlements(bus, stream)).items():
        if subject in found:
            found[subject] = SetAside(found[subject].letter, settlement)
    return list(found.values())


async def find_dead(bus: Bus, stream: str, sequence: int) -> SetAside | None:
    """One dead letter, whole; None when there is none."""
    message = await bus.last(DEAD, bus.subjects.dead(stream, sequence))
    letter = _letter(bus, message) if message is not None else None
    return None if letter is None else SetAside(letter, await _settlement(bus, letter))


async def with_original(bus: Bus, letter: DeadMessage) -> DeadMessage:
    """The letter with headers and payload as they were published. Unsettled when they cannot be had any more.

    They are looked up where they were too large to be copied, and the payload where it lies in a blob.
    """
    whole = await _with_copy(bus, letter)
    stored = Message(letter.stream, letter.subject, whole.payload, whole.headers, letter.stored_as, letter.stored_at)
    try:
        original = await bus.redeem(stored)
    except Undecodable:
        return whole  # a stranger's claim to nothing: its bytes are its payload
    except LostBlob as error:
        raise Unsettled(f"{letter.id}: {error}") from error
    return msgspec.structs.replace(whole, headers=original.headers, payload=original.payload)


async def _with_copy(bus: Bus, letter: DeadMessage) -> DeadMessage:
    """The letter with what it could not hold, from its original. Unsettled."""
    stream = next((stream for stream in STREAMS if stream.name == letter.stream), None)
    if not letter.truncated or stream is None:
        return letter
    async with aclosing(bus.read(stream, [letter.subject], after=letter.stored_as - 1)) as messages:
        async for message in messages:
            if message.sequence == letter.stored_as:
                return msgspec.structs.replace(
                    letter, headers=message.headers, payload=message.payload, truncated=False
                )
            break
    raise Unsettled(f"{letter.id} was too large to be copied, and its original is not in its stream any more")


async def replay_dead(bus: Bus, found: SetAside, by: str, now: datetime) -> Settlement:
    """Put a dead letter back for the consumer that could not process it; it sees it once more, and once only.

    One that was replayed before stays so, and is not put back again. Unsettled, BusError.
    """
    if found.settled is not None:
        return _agreed(found.id, "replayed", found.settled)
    if not may_be_replayed(bus.subjects, found.letter):
        raise Unsettled(f"{found.id} cannot be put back: nothing consumes {found.letter.subject}; it can be dropped")
    try:
        await bus.publish_once(replay_message(bus.subjects, await with_original(bus, found.letter)))
    except MessageTooLarge as error:
        raise Unsettled(f"{found.id} cannot be put back: {error}") from error
    return await _settle(bus, found.letter, Settlement("replayed", by, now))


async def drop_dead(bus: Bus, found: SetAside, by: str, now: datetime) -> Settlement:
    """Record that nothing is to become of a dead letter. Unsettled when it was replayed, BusError."""
    if found.settled is not None:
        return _agreed(found.id, "dropped", found.settled)
    return await _settle(bus, found.letter, Settlement("dropped", by, now))


async def _settle(bus: Bus, letter: DeadMessage, settlement: Settlement) -> Settlement:
    subject = bus.subjects.settled(letter.stream, letter.sequence)
    if (await bus.publish_once(Outgoing(subject, msgspec.json.encode(settlement)))).first:
        return settlement
    return _agreed(letter.id, settlement.fate, await _settlement(bus, letter) or settlement)


def _agreed(identity: str, fate: Fate, standing: Settlement) -> Settlement:
    """What stands already, when it is what was asked for. Unsettled."""
    if standing.fate != fate:
        raise Unsettled(f"{identity} was {standing.fate} by {standing.by} at {standing.at.isoformat()}")
    return standing


async def _settlement(bus: Bus, letter: DeadMessage) -> Settlement | None:
    message = await bus.last(DEAD, bus.subjects.settled(letter.stream, letter.sequence))
    return None if message is None else _read_settlement(message)


async def _settlements(bus: Bus, stream: str | None) -> dict[str, Settlement]:
    """What became of each dead letter, by the subject of the letter."""
    settled: dict[str, Settlement] = {}
    async with aclosing(bus.read(DEAD, [bus.subjects.under("settled", stream or "*", "*")])) as messages:
        async for message in messages:
            settlement = _read_settlement(message)
            if settlement is not None:
                *_, name, sequence = message.subject.split(".")
                settled.setdefault(bus.subjects.under("dead", name, sequence), settlement)
    return settled


def _letter(bus: Bus, message: Message) -> DeadMessage | None:
    """The dead letter of a message; None for what a stranger wrote there."""
    try:
        letter = read_dead(message)
    except Undecodable:
        return None
    return letter if message.subject == bus.subjects.dead(letter.stream, letter.sequence) else None


def _read_settlement(message: Message) -> Settlement | None:
    try:
        return _decode_settlement(message.payload)
    except Undecodable:
        return None
