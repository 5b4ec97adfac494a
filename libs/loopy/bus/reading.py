"""Reads that leave no trace: the last message of subjects, and streams from a position on, in order."""

import base64
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from loopy.bus.cursor import Cursor, CursorLost
from loopy.bus.errors import ApiRefused, Unavailable
from loopy.bus.incoming import looked_up
from loopy.bus.messages import Message
from loopy.bus.retrying import patiently
from loopy.bus.streams import Stream, stream_name
from loopy.bus.subjects import Subjects
from loopy.bus.transport import Transport
from loopy.bus.wire import STATUS, Arrived

NO_MESSAGE = 10037
# The statuses that end a look-up: all there is was sent, there is nothing, there is more than one answer may hold.
TOO_MANY = "413"
COMPLETE = ("204", "404", TOO_MANY)


class Reader:
    """Reads the streams of one namespace."""

    def __init__(self, connection: Transport, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects

    async def last(self, stream: Stream, subject: str) -> Message | None:
        """The newest message of a subject, which may hold wildcards; None when there is none."""
        answer = (await self._lookup(stream, {"last_by_subj": subject}, lambda _: True))[-1]
        return looked_up(answer, stream.name) if _is_stored(answer) else None

    async def last_by_leader(self, stream: Stream, subject: str) -> bytes | None:
        """The newest payload of a subject by the stream's leader, which knows of every write that was acknowledged.

        None when there is none. It costs the leader more than a direct read: for where a replica's word is not enough.
        """
        call = f"STREAM.MSG.GET.{stream_name(self._subjects, stream)}"
        try:
            answer: dict[str, Any] = await patiently(
                self._connection, lambda: self._connection.api(call, {"last_by_subj": subject})
            )
        except ApiRefused as error:
            if error.code != NO_MESSAGE:
                raise
            return None
        return base64.b64decode(answer["message"].get("data", ""))

    async def last_each(self, stream: Stream, filters: Sequence[str]) -> list[Message]:
        """The newest message of every subject that matches, by sequence."""
        *found, end = await self._lookup(stream, {"multi_last": list(filters)}, _is_status)
        status, more = _status(end), end.headers.get("Nats-Num-Pending", "0")
        if status == TOO_MANY or more != "0":
            return await self._last_of_many(stream, filters)
        return sorted((looked_up(answer, stream.name) for answer in found), key=lambda message: message.sequence)

    async def position(self, stream: Stream) -> int:
        """The sequence of the stream's newest message, ever; 0 when it never had one."""
        return int((await self._info(stream))["state"]["last_seq"])

    async def oldest(self, stream: Stream) -> int:
        """The sequence of the oldest message that the stream still has; of an empty one, that which comes next."""
        return int((await self._info(stream))["state"]["first_seq"])

    async def server_time(self, stream: Stream) -> datetime:
        """What the clock shows of the server that dates the stream's messages."""
        return datetime.fromisoformat((await self._info(stream))["ts"])

    async def read(
        self,
        stream: Stream,
        filters: Sequence[str],
        after: int,
        *,
        follow: bool,
        opened: Callable[[Cursor], None] | None = None,
    ) -> AsyncGenerator[Message]:
        """Every message that matches, behind sequence `after`, in order; to the stream's end, or for ever.

        `opened` is told of each cursor that it is read by.
        """
        position = after
        while True:
            start = {"deliver_policy": "by_start_sequence", "opt_start_seq": position + 1}
            cursor = await self._open(stream, filters, start)
            if opened is not None:
                opened(cursor)
            try:
                while follow or not cursor.at_end:
                    message = await cursor.next()
                    if message is not None:
                        position = message.sequence
                        yield message
                    elif not (follow and cursor.at_end):
                        await cursor.look_for_end()
                return
            except CursorLost:
                continue
            finally:
                await cursor.close()

    async def _info(self, stream: Stream) -> dict[str, Any]:
        call = f"STREAM.INFO.{stream_name(self._subjects, stream)}"
        return await patiently(self._connection, lambda: self._connection.api(call, {}))

    async def _open(self, stream: Stream, filters: Sequence[str], start: dict[str, Any]) -> Cursor:
        cursor = Cursor(self._connection, stream_name(self._subjects, stream), stream.name)
        await cursor.open({"filter_subjects": list(filters), "replay_policy": "instant", **start})
        return cursor

    async def _last_of_many(self, stream: Stream, filters: Sequence[str]) -> list[Message]:
        """As `last_each`, for more subjects than one answer may hold."""
        found: dict[str, Message] = {}
        for one in filters:
            found.update({message.subject: message for message in await self._last_of_filter(stream, one)})
        return sorted(found.values(), key=lambda message: message.sequence)

    async def _last_of_filter(self, stream: Stream, one: str) -> list[Message]:
        while True:
            cursor = await self._open(stream, [one], {"deliver_policy": "last_per_subject"})
            messages: list[Message] = []
            try:
                while not cursor.at_end:
                    message = await cursor.next()
                    if message is not None:
                        messages.append(message)
                    else:
                        await cursor.look_for_end()
                return messages
            except CursorLost:
                continue
            finally:
                await cursor.close()

    async def _lookup(self, stream: Stream, body: dict[str, Any], ended: Callable[[Arrived], bool]) -> list[Arrived]:
        call = f"$JS.API.DIRECT.GET.{stream_name(self._subjects, stream)}"
        request = msgspec.json.encode(body)

        async def attempt() -> list[Arrived]:
            answers = await self._connection.converse(call, request, ended)
            if not _is_stored(answers[-1]) and _status(answers[-1]) not in COMPLETE:
                raise Unavailable(f"{call} answers with status {_status(answers[-1]) or 'unknown'}")
            return answers

        return await patiently(self._connection, attempt)


def _is_stored(answer: Arrived) -> bool:
    """Whether an answer is a message of the stream; else it is a status that says why there is none."""
    return "Nats-Sequence" in answer.headers


def _status(answer: Arrived) -> str:
    return answer.headers.get(STATUS, "")


def _is_status(answer: Arrived) -> bool:
    return not _is_stored(answer)
