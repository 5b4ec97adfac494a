"""The facts of a run. Its journal is the set of them, in the order of the stream; nothing else is the truth.

Each record is published once, first writer wins, on a subject that follows from its ids (`bus.subjects`). Names are in
the past tense: a record says what happened.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

Outcome: TypeAlias = Literal["succeeded", "failed", "skipped", "cancelled"]
Data: TypeAlias = dict[str, Any]
# A time that says of which zone it is. One that does not is no time: it cannot be compared with any that does.
Instant: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
# The fields that both results of an attempt have first: run, workflow, step, attempt, executor, started_at, at.
ResultHead: TypeAlias = tuple[str, str, str, int, str, datetime, datetime]


class Fact(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="record"):
    """The manner of every record."""


class Cause(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an event follows from: a step of a run."""

    run: str
    step: str


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """A typed event (CloudEvents 1.0 attributes). `data` has the fields that the registry declares.

    `cascade` is the id of the first event of its chain (its own id for a first one) and `hops` how many runs lie
    between; `traceparent` is the W3C trace context that it came with, `replay_of` the id of the event that it repeats,
    `replayed_by` who had that, and `replayed_why`.
    """

    id: str
    type: str
    source: str
    time: Instant
    data: Data
    cascade: str
    hops: int = 0
    cause: Cause | None = None
    traceparent: str | None = None
    replay_of: str | None = None
    replayed_by: str | None = None
    replayed_why: str | None = None


class RoutedRun(msgspec.Struct, frozen=True):
    """A run that an event starts."""

    run: str
    workflow: str


class Refusal(msgspec.Struct, frozen=True):
    """A workflow that an event would have started, had a limit not been reached."""

    workflow: str
    limit: str
    amount: float


class EventRouted(Fact, frozen=True, tag=True):
    """An event was routed: the runs that it starts (perhaps none), by the plan that then was."""

    event: str
    type: str
    cascade: str
    plan: str
    at: Instant
    runs: tuple[RoutedRun, ...] = ()
    refused: tuple[Refusal, ...] = ()


class Slot(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run must hold while it is under way: one of the `limit` places of a name and key."""

    name: str
    key: str
    limit: int


class RunStarted(Fact, frozen=True, tag=True):
    """A run began. For a cron trigger `event.type` is `cron` and `event.data` has `scheduled_at` and `last_run`.

    `slots` are what it waits for before its first step is requested.
    """

    run: str
    workflow: str
    plan: str
    event: Event
    at: Instant
    slots: tuple[Slot, ...] = ()


class Carried(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a result carries back of its request, so that what follows can be decided without reading the journal.

    `seal` is the dispatcher's, over all of it and whose attempt it was for (`bus.seal`).
    """

    plan: str
    event: Event
    inputs: dict[str, Data | None]
    seal: str


class AttemptRequested(Fact, frozen=True, tag=True):
    """A step is to be executed. It holds all that the executor needs besides the plan.

    Attempts are numbered from 1 in each epoch of the step: 0 at first, then the number of the `RunResumed` that had the
    step run again. `inputs` has the outputs of the steps upstream by name (null for a skipped one); `wall_clock_s` and
    `spend_usd` are what is left of the step's budget (None: no cap). `seal` is to be carried back by the result; empty
    where the journal has to be read anyway.
    """

    run: str
    workflow: str
    step: str
    attempt: int
    plan: str
    event: Event
    inputs: dict[str, Data | None]
    wall_clock_s: float
    at: Instant
    epoch: int = 0
    spend_usd: float | None = None
    seal: str = ""

    @property
    def carried(self) -> Carried | None:
        """What the attempt's result is to carry back."""
        return Carried(self.plan, self.event, self.inputs, self.seal) if self.seal else None

    def result_head(self, executor: str, started_at: datetime, at: datetime) -> ResultHead:
        """What either result of this attempt begins with: whose it is, who executed it, from when until when."""
        return (self.run, self.workflow, self.step, self.attempt, executor, started_at, at)


class Emitted(msgspec.Struct, frozen=True):
    """A payload that a step returned for an event."""

    event: str
    data: Data


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an attempt used: tokens and US dollars."""

    input_tokens: int = 0
    output_tokens: int = 0
    spend_usd: float = 0.0


class AttemptSucceeded(Fact, frozen=True, tag=True):
    """An attempt gave a typed result: it stands for the step, until the step is made to run again.

    `lease` is the revision of the lease under which it was worked out, the fencing token.
    """

    run: str
    workflow: str
    step: str
    attempt: int
    executor: str
    started_at: Instant
    at: Instant
    output: Data = {}
    emits: tuple[Emitted, ...] = ()
    usage: Usage = Usage()
    epoch: int = 0
    lease: int = 0
    carried: Carried | None = None


class AttemptFailed(Fact, frozen=True, tag=True):
    """An attempt gave no result. `reason` is a constant word (`timed_out`, `bad_output`, …), `detail` a sentence."""

    run: str
    workflow: str
    step: str
    attempt: int
    executor: str
    started_at: Instant
    at: Instant
    reason: str
    detail: str
    retryable: bool = True
    usage: Usage = Usage()
    epoch: int = 0
    lease: int = 0

    @property
    def is_stand_in(self) -> bool:
        """Whether nobody recorded it: it is what nonsense in its place is taken for."""
        return not self.executor


class StepSkipped(Fact, frozen=True, tag=True):
    """A step is not to run: its `when` is false, or all steps before it were skipped."""

    run: str
    workflow: str
    step: str
    at: Instant
    reason: Literal["when", "predecessors"]
    epoch: int = 0


class RunAdmitted(Fact, frozen=True, tag=True):
    """A run holds every slot that it was waiting for, from the `RunResumed` of this number on (0: from its start)."""

    run: str
    workflow: str
    epoch: int
    at: Instant


class RunPaused(Fact, frozen=True, tag=True):
    """Somebody had a run pause: nothing new begins in it until it is resumed. `epoch` says how often it was so far."""

    run: str
    workflow: str
    epoch: int
    at: Instant
    by: str
    why: str = ""


class RunResumed(Fact, frozen=True, tag=True):
    """Somebody had a run go on: the `epoch`-th time, counted from 1.

    `steps` are all that run again, those after the first of them included. `edits` amend, for these, the fields of the
    event (under `event`) and of steps' outputs (under their names).
    """

    run: str
    workflow: str
    epoch: int
    at: Instant
    by: str
    why: str = ""
    steps: tuple[str, ...] = ()
    edits: dict[str, Data] = {}


class RunCancelled(Fact, frozen=True, tag=True):
    """Somebody had a run ended: what is under way is stopped, nothing follows, and the run ends as cancelled."""

    run: str
    workflow: str
    at: Instant
    by: str
    why: str = ""


class RunFailed(Fact, frozen=True, tag=True):
    """Nothing in a run can go on, since a step failed for good; all is kept, so that it can be resumed from there."""

    run: str
    workflow: str
    epoch: int
    at: Instant
    step: str
    detail: str = ""


class RunEnded(Fact, frozen=True, tag=True):
    """A run's one outcome. `step` and `detail` say where and why it failed, `by` who ended it, if somebody did."""

    run: str
    workflow: str
    outcome: Outcome
    at: Instant
    step: str | None = None
    detail: str = ""
    by: str = ""


Record: TypeAlias = (
    EventRouted
    | RunStarted
    | RunAdmitted
    | AttemptRequested
    | AttemptSucceeded
    | AttemptFailed
    | StepSkipped
    | RunPaused
    | RunResumed
    | RunCancelled
    | RunFailed
    | RunEnded
)
