"""What is noted of a simulation while it happens: a message that was stored, an execution, a loss."""

from datetime import datetime
from typing import TypeAlias

import msgspec

from loopy.bus.memory.stream import Kept
from loopy.bus.messages import Message

# Whose attempt: run, step, epoch, attempt.
Key: TypeAlias = tuple[str, str, int, int]


class Entry(msgspec.Struct, frozen=True):
    """A message that was stored, at `time` in the loop's seconds. `index` is its place among those of all streams."""

    index: int
    time: float
    stream: str
    kept: Kept

    @property
    def message(self) -> Message:
        """The message as the bus would give it."""
        kept = self.kept
        return Message(self.stream, kept.subject, kept.payload, kept.headers, kept.sequence, kept.time)


class Execution(msgspec.Struct):
    """One execution of an agent, by one process. `ended` is None while it is under way, and for ever if it was lost.

    `stopped` is when it was broken off, by its executor or with it.
    """

    process: str
    run: str
    step: str
    epoch: int
    attempt: int
    started: float
    ended: float | None = None
    stopped: float | None = None

    @property
    def key(self) -> Key:
        """Whose execution it is."""
        return (self.run, self.step, self.epoch, self.attempt)

    @property
    def name(self) -> str:
        """Whose execution it is, as people are told."""
        return f"run {self.run} {self.step} epoch {self.epoch} attempt {self.attempt} by {self.process}"


class Loss(msgspec.Struct, frozen=True):
    """Something broke at a time: of a process, or of the server, so that attempts may be executed again."""

    time: float
    process: str
    what: str


class Due(msgspec.Struct, frozen=True):
    """The due times of a schedule that somebody was there to fire: those in (since, until]."""

    since: datetime
    until: datetime
