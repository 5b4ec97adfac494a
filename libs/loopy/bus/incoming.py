"""NATS messages as values: where the position of a stored message stands in each way of receiving it."""

from datetime import UTC, datetime, timedelta

import msgspec
from nats.aio.msg import Msg

from loopy.bus.messages import Message

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ADDED_BY_READS = ("Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Num-Pending",
                   "Nats-Last-Sequence", "Nats-UpTo-Sequence")  # fmt: skip


class Place(msgspec.Struct):
    """What the reply subject of a consumed message says."""

    stream: str
    deliveries: int
    sequence: int
    consumer_sequence: int
    time: datetime
    pending: int


def place_of(reply: str) -> Place:
    """Read `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>.<seq>.<cseq>.<ns>.<pending>`. ValueError."""
    tokens = reply.split(".")
    first = 2 if len(tokens) == 9 else 4
    stream, _, deliveries, sequence, consumer_sequence, nanoseconds, pending = tokens[first : first + 7]
    return Place(
        stream,
        int(deliveries),
        int(sequence),
        int(consumer_sequence),
        _EPOCH + timedelta(microseconds=int(nanoseconds) // 1000),
        int(pending),
    )


def consumed(message: Msg, place: Place, stream: str, *, deliveries: int) -> Message:
    """A message that a consumer was given."""
    return Message(
        stream=stream,
        subject=message.subject,
        payload=message.data,
        headers=message.headers or {},
        sequence=place.sequence,
        time=place.time,
        deliveries=deliveries,
    )


def looked_up(message: Msg, stream: str) -> Message:
    """A message that was read by its subject; the server tells its place in headers. ValueError, KeyError."""
    headers = dict(message.headers or {})
    stamp = datetime.fromisoformat(headers["Nats-Time-Stamp"])
    sequence, subject = int(headers["Nats-Sequence"]), headers["Nats-Subject"]
    for name in _ADDED_BY_READS:
        headers.pop(name, None)
    return Message(stream, subject, message.data, headers, sequence, stamp)


def watched(message: Msg, now: datetime) -> Message:
    """A message that passed by, not looked up in any stream."""
    return Message("", message.subject, message.data, message.headers or {}, 0, now)
