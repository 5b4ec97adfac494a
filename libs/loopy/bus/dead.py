"""Dead letters: messages that can never be processed, kept with the reason and the original bytes."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from loopy.bus.cloudevents import escape
from loopy.bus.jsonheader import json_header, read_json_header
from loopy.bus.messages import DeadLetter, Message, Outgoing
from loopy.bus.subjects import Subjects
from loopy.bus.undecodable import decoder
from loopy.runs.records import Instant

DEAD_HEADER = "Loopy-Dead-Letter"
REASON_HEADER = "Loopy-Reason"
MOST_DETAIL = 2_000
MOST_HEADER_BYTES = 32_768


class DeadMessage(msgspec.Struct, frozen=True):
    """A message that was set aside: where it was, why, and what it held.

    `sequence` is where it lay when it was set aside. `stored_as` and `stored_at` are where and when it was first
    stored: the same, unless it had been set aside before and was put back.

    `truncated` says that headers and payload were too large to be copied; the original is still in its stream.
    """

    stream: str
    subject: str
    sequence: int
    reason: str
    detail: str
    at: Instant
    headers: dict[str, str]
    payload: bytes
    stored_as: int
    stored_at: Instant
    truncated: bool = False

    @property
    def id(self) -> str:
        """What people call it: `EVT-17`."""
        return f"{self.stream}-{self.sequence}"

    @classmethod
    def of(cls, message: Message, verdict: DeadLetter, at: datetime) -> "DeadMessage":
        """The dead letter that a verdict makes of a message."""
        return cls(
            stream=message.stream,
            subject=message.subject,
            sequence=message.replay or message.sequence,
            reason=verdict.reason,
            detail=verdict.detail[:MOST_DETAIL].encode(errors="replace").decode(),
            at=at,
            headers=message.headers,
            payload=message.payload,
            stored_as=message.sequence,
            stored_at=message.time,
        )


class _Head(msgspec.Struct):
    """All of a dead letter but the payload, as it stands in the header `Loopy-Dead-Letter`."""

    stream: str
    subject: str
    sequence: int
    reason: str
    detail: str
    at: Instant
    headers: dict[str, str]
    stored_as: int
    stored_at: Instant
    truncated: bool


_decode_head: Callable[[bytes], _Head] = decoder(_Head, "bad_dead_letter")


def dead_message(subjects: Subjects, dead: DeadMessage, max_payload: int) -> Outgoing:
    """The dead letter as it is published: the payload is the original's, a header has the rest as JSON."""
    head = _header(dead, dead.headers, truncated=dead.truncated)
    payload = dead.payload
    if len(head) > MOST_HEADER_BYTES or len(head) + len(payload) + 1024 > max_payload:
        head, payload = _header(dead, {}, truncated=True), b""
    headers = {REASON_HEADER: escape(dead.reason), DEAD_HEADER: head}
    return Outgoing(subjects.dead(dead.stream, dead.sequence), payload, headers)


def read_dead(message: Message) -> DeadMessage:
    """The dead letter of a message. Undecodable."""
    head = read_json_header(message, DEAD_HEADER, _decode_head, "bad_dead_letter")
    return DeadMessage(
        head.stream, head.subject, head.sequence, head.reason, head.detail, head.at, head.headers, message.payload,
        head.stored_as, head.stored_at, head.truncated,
    )  # fmt: skip


def _header(dead: DeadMessage, headers: dict[str, str], *, truncated: bool) -> str:
    head = _Head(
        dead.stream, dead.subject, dead.sequence, dead.reason, dead.detail, dead.at.astimezone(UTC), headers,
        dead.stored_as, dead.stored_at.astimezone(UTC), truncated,
    )  # fmt: skip
    return json_header(head)
