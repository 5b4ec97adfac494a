"""Headers that hold JSON: what Loopy says of a message whose payload is a stranger's, kept byte for byte."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from loopy.bus.cloudevents import escape, unescape
from loopy.bus.messages import Message
from loopy.bus.undecodable import Undecodable

T = TypeVar("T")


def json_header(value: msgspec.Struct) -> str:
    """A value as a header."""
    return escape(msgspec.json.encode(value).decode())


def read_json_header(message: Message, name: str, decode: Callable[[bytes], T], reason: str) -> T:
    """The value of a message's header. Undecodable, with this reason where the header is no text."""
    try:
        text = unescape(message.headers.get(name, ""))
    except ValueError as error:
        raise Undecodable(reason, f"{name} {error}") from error
    return decode(text.encode())
