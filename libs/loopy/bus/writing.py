"""Publishing by compare-and-set: the first writer of a subject wins, and everyone learns who did."""

import re

from loopy.bus.api import check_reply
from loopy.bus.errors import ApiRefused
from loopy.bus.messages import Message, Outgoing, Stored
from loopy.bus.retrying import patiently
from loopy.bus.sizes import check_size
from loopy.bus.transport import Transport

EXPECTED_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
EXPECTED_SCOPE = "Nats-Expected-Last-Subject-Sequence-Subject"
WRONG_SEQUENCE = 10071
NOT_THERE = (10043, 10057)  # deleted before, or never stored
_SEQUENCE = re.compile(r"\d+$")


async def publish_once(connection: Transport, message: Outgoing, *, wait_for_room: bool = True) -> Stored:
    """Store a message unless its subject has one; waits through outages. BusError, StreamFull unless it is to wait."""
    try:
        return await _publish(connection, message, {EXPECTED_SEQUENCE: "0"}, wait_for_room=wait_for_room)
    except ApiRefused as error:
        found = _SEQUENCE.search(error.description)
        if error.code != WRONG_SEQUENCE or found is None:
            raise
        return Stored(int(found[0]), first=False)


async def publish_after(
    connection: Transport, message: Outgoing, scope: str, sequence: int, *, wait_for_room: bool = True
) -> Stored | None:
    """Store a message if `sequence` is still the last of the filter `scope`; None when something newer is there."""
    try:
        expectation = {EXPECTED_SEQUENCE: str(sequence), EXPECTED_SCOPE: scope}
        return await _publish(connection, message, expectation, wait_for_room=wait_for_room)
    except ApiRefused as error:
        if error.code != WRONG_SEQUENCE:
            raise
        return None


async def delete(connection: Transport, stream: str, sequence: int) -> bool:
    """Delete one message of a stream, by the stream's name on the server; whether it was there. BusError."""
    body = {"seq": sequence, "no_erase": True}
    try:
        await patiently(connection, lambda: connection.api(f"STREAM.MSG.DELETE.{stream}", body))
    except ApiRefused as error:
        if error.code not in NOT_THERE:
            raise
        return False
    return True


def was_first(message: Message) -> bool:
    """Whether a message was stored on the condition that its subject had none, as `publish_once` has it stored."""
    return message.headers.get(EXPECTED_SEQUENCE) == "0" and EXPECTED_SCOPE not in message.headers


async def _publish(
    connection: Transport, message: Outgoing, expectation: dict[str, str], *, wait_for_room: bool = True
) -> Stored:
    subject, payload = message.subject, message.payload
    headers = {**message.headers, **expectation}
    check_size(subject, payload, headers, connection.max_payload)

    async def attempt() -> Stored:
        reply = await connection.request(subject, payload, headers)
        return Stored(check_reply(reply, f"publishing {subject}"), first=True)

    return await patiently(connection, attempt, wait_for_room=wait_for_room)
