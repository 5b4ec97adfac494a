"""The one error of reading a message, and decoders that raise no other."""

from collections.abc import Callable
from typing import Any

import msgspec


class Undecodable(ValueError):
    """A message that can never be understood. `reason` is a constant word, `detail` a sentence for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def decoder(kind: Any, reason: str) -> Callable[[bytes], Any]:
    """A decoder of JSON into a type or union, which raises Undecodable with this reason whatever the bytes are."""
    decode = msgspec.json.Decoder(kind).decode

    def read(payload: bytes) -> Any:
        try:
            return decode(payload)
        except (msgspec.MsgspecError, ValueError) as error:
            raise Undecodable(reason, str(error)) from error
        except RecursionError as error:
            raise Undecodable(reason, "the JSON is nested too deeply") from error

    return read
