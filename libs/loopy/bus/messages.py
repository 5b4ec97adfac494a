"""Messages as values, and what a handler says is to become of one."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias

import msgspec


class Outgoing(msgspec.Struct, frozen=True):
    """A message to publish."""

    subject: str
    payload: bytes
    headers: dict[str, str] = {}


class Message(msgspec.Struct, frozen=True):
    """A message as it is stored. `deliveries` counts how often this consumer was given it (0: read, not consumed),
    but for the times that it was known to be held back.

    `replay` is the sequence of the message by which this one, set aside before, was put back; 0: it was not. `blob` is
    the name of the blob in which its payload lies, "" when it lay in the message itself.
    """

    stream: str
    subject: str
    payload: bytes
    headers: dict[str, str]
    sequence: int
    time: datetime
    deliveries: int = 0
    replay: int = 0
    blob: str = ""


class Stored(msgspec.Struct, frozen=True):
    """Where a published message is. `first` is false when another had been stored there before: it stands, not ours."""

    sequence: int
    first: bool


class Ack(msgspec.Struct, frozen=True):
    """Done with it."""


class RetryAfter(msgspec.Struct, frozen=True):
    """Not now: deliver it again after this many seconds.

    `waits`: nothing is wrong, it is held back until somebody says so; its deliveries do not count as tries.
    """

    delay_s: float
    waits: bool = False


class DeadLetter(msgspec.Struct, frozen=True):
    """It can never be processed: set it aside with this constant word and sentence.

    One that is `foreign` was written by a stranger, so it tells nothing about the state of whoever consumes it.
    """

    reason: str
    detail: str
    foreign: bool = False


# Together they are about five minutes: what two deployments may be apart, not more.
PATIENCE = 10
LONGEST_WAIT_S = 60.0


def patience(deliveries: int) -> RetryAfter | None:
    """Wait for what another process has yet to store, longer at each delivery; None when it is time to give up."""
    return RetryAfter(min(LONGEST_WAIT_S, 2.0 ** (deliveries - 1))) if deliveries < PATIENCE else None


Verdict: TypeAlias = Ack | RetryAfter | DeadLetter
Handler: TypeAlias = Callable[[Message], Awaitable[Verdict]]
