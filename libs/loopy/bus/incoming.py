"""NATS messages as values: where the position of a stored message stands in each way of receiving it."""

from datetime import UTC, datetime

import msgspec

from loopy.bus.messages import Message
from loopy.bus.wire import Arrived

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
        datetime.fromtimestamp(int(nanoseconds) // 1000 / 1e6, UTC),
        int(pending),
    )


def consumed(message: Arrived, place: Place, stream: str, *, deliveries: int) -> Message:
    """A message that a consumer was given."""
    return Message(
        stream=stream,
        subject=message.subject,
        payload=message.data,
        headers=message.headers,
        sequence=place.sequence,
        time=place.time,
        deliveries=deliveries,
    )


def looked_up(message: Arrived, stream: str) -> Message:
    """A message that was read by its subject; the server tells its place in headers. ValueError, KeyError."""
    headers = dict(message.headers)
    stamp = datetime.fromisoformat(headers["Nats-Time-Stamp"])
    sequence, subject = int(headers["Nats-Sequence"]), headers["Nats-Subject"]
    for name in _ADDED_BY_READS:
        headers.pop(name, None)
    return Message(stream, subject, message.data, headers, sequence, stamp)


def watched(message: Arrived, now: datetime) -> Message:
    """A message that passed by, not looked up in any stream."""
    return Message("", message.subject, message.data, message.headers, 0, now)
