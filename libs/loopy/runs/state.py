"""The state of a run: what its journal says, folded. Pure; the same facts in the same order give the same state."""

from collections.abc import Iterable
from typing import TypeAlias, assert_never

import msgspec

from loopy.runs.records import (
    AttemptFailed,
    AttemptRequested,
    AttemptSucceeded,
    Data,
    EventRouted,
    Record,
    RunAdmitted,
    RunCancelled,
    RunEnded,
    RunFailed,
    RunPaused,
    RunResumed,
    RunStarted,
    StepSkipped,
)

Result: TypeAlias = AttemptSucceeded | AttemptFailed


class StepState(msgspec.Struct, frozen=True):
    """The facts of one step in its epoch: what was recorded before it was made to run again counts no more.

    `results` are in the order of the journal, one an attempt. `edits` amend what the step is given: the event, and the
    outputs of steps upstream.
    """

    results: tuple[Result, ...] = ()
    skipped: StepSkipped | None = None
    epoch: int = 0
    edits: dict[str, Data] = {}


class RunState(msgspec.Struct, frozen=True):
    """All that is known of a run. `started` is None only when its first fact is not there (any more).

    `epoch` counts how often the run was resumed; `admitted` says whether it holds its slots; `paused`, `failed` and
    `cancelled` are facts that stand until it is resumed, or for ever.
    """

    run: str
    started: RunStarted | None = None
    steps: dict[str, StepState] = {}
    ended: RunEnded | None = None
    epoch: int = 0
    admitted: bool = False
    paused: RunPaused | None = None
    failed: RunFailed | None = None
    cancelled: RunCancelled | None = None

    @property
    def is_open(self) -> bool:
        """Whether steps may begin."""
        return self.admitted and self.paused is None and self.cancelled is None and self.ended is None

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself: it has ended, or failed and waits for somebody."""
        return self.ended is not None or self.failed is not None

    def step(self, name: str) -> StepState:
        """The facts of a step; of one that has none yet, the empty state."""
        return self.steps.get(name, _NOTHING_YET)

    def has_failed(self, step: str, epoch: int, attempt: int) -> bool:
        """Whether this attempt of a step is known to have failed, and its epoch is the step's."""
        return any(
            isinstance(r, AttemptFailed) and (r.epoch, r.attempt) == (epoch, attempt) for r in self.step(step).results
        )


_NOTHING_YET = StepState()


def evolve(state: RunState, record: Record) -> RunState:
    """The state once `record` is known too.

    Total: a fact of another run, of another epoch, a second one of its kind, and one that changes nothing leave the
    state as it is. After a run's end only its end counts.
    """
    if isinstance(record, EventRouted | AttemptRequested) or record.run != state.run or state.ended is not None:
        return state
    match record:
        case RunStarted():
            return _with_start(state, record)
        case AttemptSucceeded() | AttemptFailed():
            return _with_result(state, record)
        case StepSkipped(step=step, epoch=epoch):
            known = state.step(step)
            if known.skipped is not None or known.epoch != epoch:
                return state
            return _with_step(state, step, msgspec.structs.replace(known, skipped=record))
        case RunEnded():
            return msgspec.structs.replace(state, ended=record)
        case RunAdmitted() | RunPaused() | RunResumed() | RunCancelled() | RunFailed():
            return _steered(state, record)
        case _:
            assert_never(record)


def fold(run: str, records: Iterable[Record]) -> RunState:
    """The state of a run after these facts, given in the order of its journal."""
    state = RunState(run)
    for record in records:
        state = evolve(state, record)
    return state


def _steered(state: RunState, record: RunAdmitted | RunPaused | RunResumed | RunCancelled | RunFailed) -> RunState:
    match record:
        case RunAdmitted(epoch=epoch) if epoch == state.epoch and not state.admitted:
            return msgspec.structs.replace(state, admitted=True)
        case RunPaused(epoch=epoch) if epoch == state.epoch and state.paused is None:
            return msgspec.structs.replace(state, paused=record)
        case RunFailed(epoch=epoch) if epoch == state.epoch and state.failed is None:
            return msgspec.structs.replace(state, failed=record, admitted=not _slots(state))
        case RunResumed(epoch=epoch) if epoch == state.epoch + 1:
            return _resumed(state, record)
        case RunCancelled() if state.cancelled is None:
            return msgspec.structs.replace(state, cancelled=record)
        case _:
            return state


def _with_start(state: RunState, record: RunStarted) -> RunState:
    if state.started is not None:
        return state
    return msgspec.structs.replace(state, started=record, admitted=state.admitted or not record.slots)


def _slots(state: RunState) -> bool:
    return state.started is not None and bool(state.started.slots)


def _resumed(state: RunState, record: RunResumed) -> RunState:
    """The steps that run again begin anew, with what was amended for them; all others stand as they are.

    Slots are to be asked for again: it may hold them still.
    """
    again = {name: StepState(epoch=record.epoch, edits=_amended(state.step(name), record)) for name in record.steps}
    steps, admitted = {**state.steps, **again}, not _slots(state)
    return msgspec.structs.replace(state, epoch=record.epoch, admitted=admitted, paused=None, failed=None, steps=steps)


def _amended(step: StepState, record: RunResumed) -> dict[str, Data]:
    """The edits of a step that runs again: new ones over old ones, but none of old outputs that are made anew."""
    edits = {name: fields for name, fields in step.edits.items() if name not in record.steps}
    return {name: {**edits.get(name, {}), **record.edits.get(name, {})} for name in edits | record.edits}


def _with_result(state: RunState, result: Result) -> RunState:
    """An attempt has one result, and a step one success; what is of an epoch that is past changes nothing.

    Nor does nonsense in the place of an attempt's result that was not asked for yet: nobody executes that.
    """
    known = state.step(result.step)
    if isinstance(result, AttemptFailed) and result.is_stand_in and result.attempt > len(known.results) + 1:
        return state
    said = any(other.attempt == result.attempt or isinstance(other, AttemptSucceeded) for other in known.results)
    if said or result.epoch != known.epoch:
        return state
    return _with_step(state, result.step, msgspec.structs.replace(known, results=(*known.results, result)))


def _with_step(state: RunState, name: str, step: StepState) -> RunState:
    return msgspec.structs.replace(state, steps={**state.steps, name: step})
