"""What a decision asks the shell to do. Each is published first writer wins, so doing one again changes nothing."""

from datetime import datetime
from typing import TypeAlias

import msgspec

from loopy.runs.records import AttemptRequested, Event, RunEnded, RunFailed, Slot, StepSkipped


class RequestAttempt(msgspec.Struct, frozen=True):
    """Hand an attempt to the executors of a pool."""

    attempt: AttemptRequested
    pool: str


class SkipStep(msgspec.Struct, frozen=True):
    """Record that a step is not to run."""

    skip: StepSkipped


class PublishEvent(msgspec.Struct, frozen=True):
    """Publish an event that a step emitted."""

    event: Event


class StartTimer(msgspec.Struct, frozen=True):
    """Come back to a step at a time, to request this attempt of it."""

    run: str
    step: str
    epoch: int
    attempt: int
    at: datetime


class QueueRun(msgspec.Struct, frozen=True):
    """Have a run wait for its slots; `RunAdmitted` of this epoch says that it holds them."""

    run: str
    workflow: str
    epoch: int
    slots: tuple[Slot, ...]


class FailRun(msgspec.Struct, frozen=True):
    """Record that nothing in the run can go on until somebody resumes it."""

    failure: RunFailed


class EndRun(msgspec.Struct, frozen=True):
    """Record the run's outcome: every step is settled, no attempt follows.

    Facts are dealt with side by side, so an event that another fact calls for may be published a moment later.
    """

    end: RunEnded


class ReleaseSlots(msgspec.Struct, frozen=True):
    """Let others have the slots that a run holds or waits for in this epoch, now that it has failed or ended."""

    run: str
    epoch: int
    slots: tuple[Slot, ...]


Effect: TypeAlias = RequestAttempt | SkipStep | PublishEvent | StartTimer | QueueRun | FailRun | EndRun | ReleaseSlots
