"""The parser: however the bytes come, the same is told, in order."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.errors import ProtocolError

from loopy.bus.parser import LONGEST_LINE, Parser
from loopy.bus.wire import Arrived

Told = tuple[object, ...]

STREAM = (
    b'INFO {"server_id":"x"}\r\n'
    b"MSG a.b 1 5\r\nhe\r\no\r\n"
    b"PING\r\n"
    b"MSG a.b 12 $JS.ACK.x 0\r\n\r\n"
    b"HMSG a 1 16 18\r\nNATS/1.0 503\r\n\r\nhi\r\n"
    b"HMSG a 1 r 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"
    b"+OK\r\n-ERR 'Bad'\r\nPONG\r\n"
    b"MSG a.\x0b\xff 1 3\r\n\r\n\r\r\n"
)
TOLD: list[Told] = [
    (b"INFO", b'{"server_id":"x"}'),
    (b"1", "a.b", "", b"", b"he\r\no"),
    (b"PING", b""),
    (b"12", "a.b", "$JS.ACK.x", b"", b""),
    (b"1", "a", "", b"NATS/1.0 503\r\n\r\n", b"hi"),
    (b"1", "a", "r", b"NATS/1.0 503\r\n\r\n", b""),
    (b"+OK", b""),
    (b"-ERR", b"'Bad'"),
    (b"PONG", b""),
    (b"1", "a.\x0b\ufffd", "", b"", b"\r\n\r"),
]


class Listener:
    """What was told, in order; a message for subscription `bad` is more than it can take."""

    def __init__(self) -> None:
        self.told: list[Told] = []

    def arrived(self, subscription: bytes, message: Arrived) -> None:
        if subscription == b"bad":
            raise RuntimeError("too much")
        self.told.append((subscription, message.subject, message.reply, message.head, message.data))

    async def said(self, kind: bytes, rest: bytes) -> None:
        self.told.append((kind.strip(), rest.strip()))


async def told(*pieces: bytes) -> list[Told]:
    listener = Listener()
    parser = Parser(listener)
    for piece in pieces:
        await parser.parse(piece)
    return listener.told


@given(st.lists(st.integers(0, len(STREAM)), max_size=12).map(sorted))
async def test_however_the_bytes_come_the_same_is_told(cuts: list[int]) -> None:
    ends = [0, *cuts, len(STREAM)]
    assert await told(*(STREAM[begin:end] for begin, end in itertools.pairwise(ends))) == TOLD


async def test_one_byte_at_a_time_is_enough() -> None:
    assert await told(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == TOLD


async def test_a_receiver_that_fails_fails_alone() -> None:
    assert await told(b"MSG a bad 1\r\nx\r\nMSG a 1 1\r\ny\r\n") == [(b"1", "a", "", b"", b"y")]


async def test_what_was_begun_on_one_connection_is_not_continued_on_the_next() -> None:
    listener = Listener()
    parser = Parser(listener)
    await parser.parse(b"MSG a 1 100\r\nbegun")
    parser.reset()
    await parser.parse(b"PING\r\n")
    assert listener.told == [(b"PING", b"")]


async def test_a_large_message_is_put_together() -> None:
    body = bytes(range(256)) * (1 << 14)
    whole = b"MSG a 1 %d\r\n%b\r\nPING\r\n" % (len(body), body)
    pieces = [whole[at : at + 32_768] for at in range(0, len(whole), 32_768)]
    assert await told(*pieces) == [(b"1", "a", "", b"", body), (b"PING", b"")]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"MSG a 1\r\n",
        b"MSG a 1 r 1 1\r\n",
        b"MSG a 1 -1\r\n",
        b"HMSG 5\r\n",
        b"HMSG a 1 x 5\r\n",
        b"x" * (LONGEST_LINE + 1),
    ],
)
async def test_what_is_no_protocol_is_an_error(nonsense: bytes) -> None:
    with pytest.raises(ProtocolError):
        await told(nonsense)
