"""The parser of what a server sends, which takes a buffer's messages one after another without a task for each."""

import logging
from typing import Protocol

import nats.protocol.parser
from nats.errors import ProtocolError

from loopy.bus.wire import Arrived

# What the server says of itself and of errors is said on one line. One that is longer is no server of NATS.
LONGEST_LINE = 1 << 20

_log = logging.getLogger("loopy.bus")


class Client(Protocol):
    """Whom a parser tells."""

    def arrived(self, subscription: bytes, message: Arrived) -> None:
        """A message has arrived, for the subscription of that number."""
        ...

    async def said(self, kind: bytes, rest: bytes) -> None:
        """The server has said something else than a message. ProtocolError."""
        ...


class Parser(nats.protocol.parser.Parser):
    """Takes the place of nats-py's parser: `parse` and `reset` are what its client calls."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._rest = bytearray()
        self._needed = 0

    def reset(self) -> None:
        """Forget what was begun: the connection is another one."""
        self._rest = bytearray()
        self._needed = 0

    async def parse(self, data: bytes = b"") -> None:
        """Tell of all that has arrived whole, and keep the rest until more comes. ProtocolError."""
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._needed:
                return
            data = bytes(rest)
            rest.clear()
        position, line = self._messages(data, 0)
        while line:
            kind, _, words = line.partition(b" ")
            await self._client.said(kind.upper(), words)
            if rest is not self._rest:
                return
            position, line = self._messages(data, position)
        rest += data[position:]
        if not self._needed and len(rest) > LONGEST_LINE:
            raise ProtocolError

    def _messages(self, data: bytes, position: int) -> tuple[int, bytes]:
        """Tell of the messages from a position on; where they end, and the line there that is about something else."""
        self._needed = 0
        arrived, find = self._client.arrived, data.find
        while (end := find(b"\r\n", position)) >= 0:
            kind = data[position : position + 4]
            if kind == b"HMSG":
                words = data[position + 5 : end].split(b" ")
                if len(words) not in (4, 5):
                    raise ProtocolError
                reply = words[2] if len(words) == 5 else b""
                head = _number(words[-2])
            elif kind == b"MSG ":
                words = data[position + 4 : end].split(b" ")
                if len(words) not in (3, 4):
                    raise ProtocolError
                reply = words[2] if len(words) == 4 else b""
                head = 0
            else:
                return end + 2, data[position : end + 2]
            begin, size = end + 2, _number(words[-1])
            following = begin + size + 2
            if following > len(data):
                self._needed = following - position
                break
            message = Arrived(words[0], reply, data[begin : begin + head], data[begin + head : begin + size])
            position = following
            try:
                arrived(words[1], message)
            except Exception:  # noqa: BLE001  whatever becomes of one message, the next are received
                _log.exception("bus.error")
        return position, b""


def _number(word: bytes) -> int:
    """A size. ProtocolError."""
    if not word.isdigit():
        raise ProtocolError
    return int(word)
