"""Dead letters put back: how a message that was set aside is given to its consumer once more.

The original lies on its subject still, and the first writer of a subject wins; so it is put back on a subject of its
own, `<ns>.replay.<its subject>.<sequence of its dead letter>`, which the same consumers select. A dead letter has one
such subject: it is put back once, however often that is asked for. The handler is given the original, with its own
subject, place and time, so that it decides what it would have decided.
"""

from datetime import UTC, datetime

import msgspec

from loopy.bus.dead import DeadMessage
from loopy.bus.messages import Message, Outgoing
from loopy.bus.streams import STREAMS
from loopy.bus.subjects import Subjects
from loopy.bus.undecodable import Undecodable

SEQUENCE_HEADER = "Loopy-Replay-Sequence"
TIME_HEADER = "Loopy-Replay-Time"
_OWN = {SEQUENCE_HEADER, TIME_HEADER}
_OF_THE_SERVER = "nats-"  # headers that it would obey again: an id it knows, a schedule, an expectation


def may_be_replayed(subjects: Subjects, dead: DeadMessage) -> bool:
    """Whether a stream takes the message back: what no consumer ever selects, a stranger's invention, it does not."""
    place = subjects.replay(dead.subject, dead.sequence)
    stream = next((stream for stream in STREAMS if stream.name == dead.stream), None)
    prefixes = () if stream is None else stream.prefixes
    return any(place.startswith(subjects.under(prefix, "")) for prefix in prefixes if prefix.startswith("replay."))


def replay_message(subjects: Subjects, dead: DeadMessage) -> Outgoing:
    """The message that puts a dead letter back."""
    headers = _without_the_servers(dead.headers)
    headers |= {SEQUENCE_HEADER: str(dead.stored_as), TIME_HEADER: dead.stored_at.astimezone(UTC).isoformat()}
    return Outgoing(subjects.replay(dead.subject, dead.sequence), dead.payload, headers)


def original_of(subjects: Subjects, message: Message) -> Message:
    """The message that a handler is to be given: of one that was put back, the original. Undecodable.

    On what condition it was put back says nothing of the original, which may not have been the first on its subject.
    """
    if not message.subject.startswith(subjects.under("replay", "")):
        return message
    sequence, time = message.headers.get(SEQUENCE_HEADER, ""), message.headers.get(TIME_HEADER, "")
    if not (sequence.isascii() and sequence.isdecimal() and len(sequence) < 20):
        raise Undecodable("bad_replay", f"{SEQUENCE_HEADER} must be the sequence of a message in its stream")
    return Message(
        stream=message.stream,
        subject=subjects.replayed(message.subject),
        payload=message.payload,
        headers={name: value for name, value in _without_the_servers(message.headers).items() if name not in _OWN},
        sequence=int(sequence),
        time=_instant(time),
        deliveries=message.deliveries,
        replay=message.sequence,
    )


def _without_the_servers(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if not name.lower().startswith(_OF_THE_SERVER)}


def _instant(text: str) -> datetime:
    try:
        time = msgspec.convert(text, datetime, strict=False)
    except msgspec.ValidationError:
        time = None
    if time is None or time.tzinfo is None:
        raise Undecodable("bad_replay", f"{TIME_HEADER} must be a time as in RFC 3339, with a zone")
    return time
