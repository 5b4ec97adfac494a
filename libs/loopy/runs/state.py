"""The state of a run: what its journal says, folded. Pure; the same facts in the same order give the same state."""

from collections.abc import Iterable
from typing import TypeAlias, assert_never

import msgspec

from loopy.runs.records import (
    AttemptFailed,
    AttemptRequested,
    AttemptSucceeded,
    EventRouted,
    Record,
    RunEnded,
    RunStarted,
    StepSkipped,
)

Result: TypeAlias = AttemptSucceeded | AttemptFailed


class StepState(msgspec.Struct, frozen=True):
    """The facts of one step.

    `results` are in the order of the journal. It matters where two executors tried the same attempt and both recorded
    a result: the first that settles the step stands (`standing.verdict`).
    """

    results: tuple[Result, ...] = ()
    skipped: StepSkipped | None = None


class RunState(msgspec.Struct, frozen=True):
    """All that is known of a run. `started` is None only when its first fact is not there (any more)."""

    run: str
    started: RunStarted | None = None
    steps: dict[str, StepState] = {}
    ended: RunEnded | None = None

    def step(self, name: str) -> StepState:
        """The facts of a step; of one that has none yet, the empty state."""
        return self.steps.get(name, _NOTHING_YET)

    def has_failed(self, step: str, attempt: int) -> bool:
        """Whether this attempt of a step is known to have failed."""
        return any(isinstance(r, AttemptFailed) and r.attempt == attempt for r in self.step(step).results)


_NOTHING_YET = StepState()


def evolve(state: RunState, record: Record) -> RunState:
    """The state once `record` is known too.

    Total: a fact of another run, a second one of its kind, and one that changes nothing leave the state as it is.
    """
    match record:
        case RunStarted(run=run) if run == state.run and state.started is None:
            return msgspec.structs.replace(state, started=record)
        case RunEnded(run=run) if run == state.run and state.ended is None:
            return msgspec.structs.replace(state, ended=record)
        case StepSkipped(run=run, step=step) if run == state.run and state.step(step).skipped is None:
            return _with_step(state, step, msgspec.structs.replace(state.step(step), skipped=record))
        case AttemptSucceeded(run=run) | AttemptFailed(run=run) if run == state.run:
            return _with_result(state, record)
        case RunStarted() | RunEnded() | StepSkipped() | AttemptSucceeded() | AttemptFailed():
            return state
        case EventRouted() | AttemptRequested():
            return state
        case _:
            assert_never(record)


def fold(run: str, records: Iterable[Record]) -> RunState:
    """The state of a run after these facts, given in the order of its journal."""
    state = RunState(run)
    for record in records:
        state = evolve(state, record)
    return state


def _with_result(state: RunState, result: Result) -> RunState:
    """A step succeeds once, whichever attempt it was, and each attempt fails once: their subjects are unique."""
    known = state.step(result.step)
    if any(_same_fact(result, other) for other in known.results):
        return state
    return _with_step(state, result.step, msgspec.structs.replace(known, results=(*known.results, result)))


def _same_fact(one: Result, other: Result) -> bool:
    return type(one) is type(other) and (isinstance(one, AttemptSucceeded) or one.attempt == other.attempt)


def _with_step(state: RunState, name: str, step: StepState) -> RunState:
    return msgspec.structs.replace(state, steps={**state.steps, name: step})
