"""Messages as the bytes that NATS has of them: what is sent, and what arrived.

It is on the path of every message, so what is not asked for is not read, and what is the same each time is made once.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

STATUS, DESCRIPTION = "Status", "Description"
_FIRST_LINE = b"NATS/1.0"
_END = b"\r\n"
_UNSENDABLE = re.compile(r"[ \t\r\n]")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NO_LINE_ENDS = str.maketrans({"\r": " ", "\n": " "})


class Unsendable(ValueError):
    """What cannot be said in the protocol; the text says what is wrong with it."""


class Arrived:
    """A message as it arrived. `head` is the bytes of its headers, which are read when they are asked for."""

    __slots__ = ("_headers", "_reply", "_subject", "data", "head")

    def __init__(self, subject: bytes, reply: bytes, head: bytes, data: bytes) -> None:
        self._subject = subject
        self._reply = reply
        self.head = head
        self.data = data
        self._headers: dict[str, str] | None = None

    @classmethod
    def of(cls, subject: str, reply: str, data: bytes, headers: Mapping[str, str]) -> "Arrived":
        """A message that came over no wire."""
        arrived = cls(subject.encode(), reply.encode(), b"", data)
        arrived._headers = dict(headers)
        return arrived

    @property
    def subject(self) -> str:
        """What it was published on. A byte that is no UTF-8 is replaced, as it is in headers."""
        return self._subject.decode(errors="replace")

    @property
    def reply(self) -> str:
        """Where an answer is wanted; empty when none is."""
        return self._reply.decode(errors="replace")

    @property
    def last_token(self) -> bytes:
        """What follows the subject's last dot."""
        return self._subject[self._subject.rfind(b".") + 1 :]

    @property
    def headers(self) -> dict[str, str]:
        """Its headers by name; a status that came instead of a message is one of them."""
        if self._headers is None:
            self._headers = headers_of(self.head)
        return self._headers


def headers_of(head: bytes) -> dict[str, str]:
    """Read headers. What is none is left out: anybody may publish anything."""
    headers: dict[str, str] = {}
    first, *lines = head.decode(errors="replace").split("\r\n")
    if len(first) > len(_FIRST_LINE):
        status, _, description = first[len(_FIRST_LINE) :].strip().partition(" ")
        if status.isdecimal():
            headers[STATUS] = status
        if description:
            headers[DESCRIPTION] = description
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.strip()
        if colon and name.isascii() and len(name.split()) == 1:
            headers[name] = value.strip()
    return headers


def head_of(headers: Mapping[str, str]) -> bytes:
    """Headers as bytes. The end of a line in a value becomes a space. Unsendable."""
    lines = [f"{_named(name)}: {value}\r\n" for name, value in headers.items()]
    text = "".join(lines)
    if not text.count("\r") == text.count("\n") == len(lines):
        text = "".join(f"{name}: {value.translate(_NO_LINE_ENDS)}\r\n" for name, value in headers.items())
    return b"%b\r\n%b\r\n" % (_FIRST_LINE, text.encode())


def publication(subject: str, reply: str, payload: bytes, headers: Mapping[str, str] | None = None) -> list[bytes]:
    """A message to publish, in pieces. Unsendable."""
    if not subject or _UNSENDABLE.search(subject):
        raise Unsendable("bad subject")
    if not headers:
        return [f"PUB {subject} {reply} {len(payload)}\r\n".encode(), payload, _END]
    head = head_of(headers)
    size = len(head)
    return [f"HPUB {subject} {reply} {size} {size + len(payload)}\r\n".encode(), head, payload, _END]


@lru_cache(maxsize=1024)
def _named(name: str) -> str:
    """The name of a header, which is a word. Unsendable."""
    if not _NAME.fullmatch(name):
        raise Unsendable(f"bad header name {name!r}")
    return name
