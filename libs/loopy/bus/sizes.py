"""Is it too large? What a message may hold, to the byte, and which value is sure to fit before it is a message."""

from loopy.bus.errors import MessageTooLarge

# A line of protocol holds subject, reply and sizes in 4,096 bytes; beyond it the connection is lost for good.
SUBJECT_BYTES = 2048
# JetStream keeps the length of a message's headers in 16 bits.
HEADER_BYTES = 65_535
# What a message holds at most besides what it is about: its headers, and in a fact the ids, names and times.
RESERVED_BYTES = 8192


def check_size(subject: str, payload: bytes, headers: dict[str, str], limit: int) -> None:
    """MessageTooLarge before the server would close the connection over it; `limit` is its `max_payload`."""
    header_bytes = 12
    for key, value in headers.items():
        header_bytes += len(key) + 4 + (len(value) if value.isascii() else len(value.encode()))
    if len(subject) > SUBJECT_BYTES:
        raise MessageTooLarge(f"{subject[:60]}…", "subject", len(subject), SUBJECT_BYTES)
    if header_bytes > HEADER_BYTES:
        raise MessageTooLarge(subject, "headers", header_bytes, HEADER_BYTES)
    if header_bytes + len(payload) > limit:
        raise MessageTooLarge(subject, "headers and payload", header_bytes + len(payload), limit)


def room_for(limit: int) -> int:
    """How many bytes an event or an answer may take, so that every message of it fits where `limit` is the most.

    `limit` is of payloads: the bus's `largest_value`.
    """
    return max(0, limit - RESERVED_BYTES)
