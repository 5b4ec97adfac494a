"""Where each step of a run stands, given the workflow and the state: the analysis that decisions and displays share.

It follows from `RunStarted`, the attempts' results and what was amended alone. A skipped step is skipped because its
`when` says so, not because `StepSkipped` was published yet; so whoever knows the same results comes to the same
conclusion.
"""

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

import msgspec

from loopy.compiler.expressions import ExpressionError, evaluate
from loopy.compiler.plan import Step, Workflow
from loopy.runs.emissions import overreaching
from loopy.runs.records import AttemptFailed, AttemptSucceeded, Data
from loopy.runs.state import Result, RunState, StepState

SHORTEST_WALL_CLOCK_S = 0.001

Inputs: TypeAlias = dict[str, Data | None]


class Standing(Enum):
    """Where a step stands. `WAITING` and `READY` may change, the others never do."""

    WAITING = "waiting"
    READY = "ready"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED_BY_WHEN = "when"
    SKIPPED_BY_PREDECESSORS = "predecessors"
    BLOCKED = "blocked"

    @property
    def is_skipped(self) -> bool:
        """The step is not to run, and that is no failure."""
        return self is Standing.SKIPPED_BY_WHEN or self is Standing.SKIPPED_BY_PREDECESSORS

    @property
    def is_settled(self) -> bool:
        """Nothing more happens to the step."""
        return self is not Standing.WAITING and self is not Standing.READY


class StepStanding(msgspec.Struct, frozen=True):
    """Where a step stands. `inputs` are the outputs of all steps upstream, by name (null for a skipped one).

    `result` is the one that settled a succeeded or failed step; a step that failed without an attempt has none, and
    `detail` says why it failed.
    """

    standing: Standing
    inputs: Inputs = {}
    result: Result | None = None
    detail: str = ""


_BLOCKED, _WAITING = StepStanding(Standing.BLOCKED), StepStanding(Standing.WAITING)


def standings(workflow: Workflow, state: RunState) -> dict[str, StepStanding]:
    """Where every step stands, in the order of the plan (each after all that it depends on)."""
    known: dict[str, StepStanding] = {}
    if state.started is None:
        return {step.name: _WAITING for step in workflow.steps}
    event = state.started.event.data
    for step in workflow.steps:
        known[step.name] = _standing(step, state.step(step.name), event, known)
    return known


def standings_after(
    workflow: Workflow, state: RunState, was: Mapping[str, StepStanding], result: Result
) -> dict[str, StepStanding]:
    """As `standings`, where they `was` known before this result: only its step and what comes after it may differ."""
    assert state.started is not None
    event = state.started.event.data
    known: dict[str, StepStanding] = {}
    moved = {result.step}
    for step in workflow.steps:
        if step.name in moved or not moved.isdisjoint(step.after):
            moved.add(step.name)
            known[step.name] = _standing(step, state.step(step.name), event, known)
        else:
            known[step.name] = was[step.name]
    return known


def amended(data: Data, step: StepState, name: str) -> Data:
    """What a step is given of the event, or of another step's output, of this name: as it was amended for it."""
    return {**data, **step.edits[name]} if name in step.edits else data


class Spent(msgspec.Struct, frozen=True):
    """What failed attempts took: seconds of executing, US dollars."""

    seconds: float = 0.0
    usd: float = 0.0


def verdict(step: Step, results: tuple[Result, ...]) -> Result | None:
    """The result that settles a step: its first success, or the first failure after which no attempt is left.

    A success that emits what the step does not declare is none, and stands as a failure that no attempt follows.
    """
    for count, result in enumerate(results, 1):
        match result:
            case AttemptSucceeded():
                return overreaching(step, result) or result
            case AttemptFailed():
                if why_final(step, result, spent(results[:count])) is not None:
                    return result
    return None


def why_final(step: Step, failure: AttemptFailed, spent: Spent) -> str | None:
    """Why no attempt follows a failure, as the beginning of a sentence; None when one does.

    `spent` is what all attempts so far took, this one too.
    """
    if not failure.retryable:
        return ""
    if failure.attempt >= step.retry.attempts:
        return "" if failure.attempt == 1 else f"gave up after {failure.attempt} attempts: "
    if step.budget.wall_clock_s - spent.seconds < SHORTEST_WALL_CLOCK_S:
        return f"its wall clock of {step.budget.wall_clock_s:g} s is spent (attempt {failure.attempt}): "
    if step.budget.spend_usd is not None and spent.usd >= step.budget.spend_usd:
        return f"its budget of {step.budget.spend_usd:g} USD is spent, {spent.usd:.4g} USD so far: "
    return None


def duration_s(result: Result) -> float:
    """The seconds that an attempt took; never negative, whatever its executor's clock did."""
    return max(0.0, (result.at - result.started_at).total_seconds())


def spent(results: tuple[Result, ...]) -> Spent:
    """What all failed attempts took together."""
    failed = [result for result in results if isinstance(result, AttemptFailed)]
    return Spent(sum(map(duration_s, failed)), sum(result.usage.spend_usd for result in failed))


def _standing(step: Step, facts: StepState, event: Data, known: Mapping[str, StepStanding]) -> StepStanding:
    waits, skipped = False, bool(step.after)
    for name in step.after:
        match known[name].standing:
            case Standing.FAILED | Standing.BLOCKED:
                return _BLOCKED
            case Standing.WAITING | Standing.READY:
                waits = True
            case Standing.SUCCEEDED:
                skipped = False
            case Standing.SKIPPED_BY_WHEN | Standing.SKIPPED_BY_PREDECESSORS:
                pass
    if waits:
        return _WAITING
    inputs = _inputs(step, facts, known)
    if skipped:
        return StepStanding(Standing.SKIPPED_BY_PREDECESSORS, inputs)
    return _called_for(step, amended(event, facts, "event"), inputs) or _by_results(step, facts, inputs)


def _inputs(step: Step, facts: StepState, known: Mapping[str, StepStanding]) -> Inputs:
    inputs: Inputs = {}
    for name in step.after:
        inputs |= known[name].inputs
        result = known[name].result
        inputs[name] = result.output if isinstance(result, AttemptSucceeded) else None
    if facts.edits:
        return {name: amended(output, facts, name) if output is not None else None for name, output in inputs.items()}
    return inputs


def _called_for(step: Step, event: Data, inputs: Inputs) -> StepStanding | None:
    """How the step stands because of its `when`; None when it is to run."""
    if step.when is None:
        return None
    try:
        holds = evaluate(step.when, event, inputs)
    except ExpressionError as error:
        return StepStanding(Standing.FAILED, inputs, detail=f"`when: {step.when}` cannot be evaluated: {error}")
    return None if holds else StepStanding(Standing.SKIPPED_BY_WHEN, inputs)


def _by_results(step: Step, facts: StepState, inputs: Inputs) -> StepStanding:
    match verdict(step, facts.results):
        case None:
            return StepStanding(Standing.READY, inputs)
        case AttemptSucceeded() as success:
            return StepStanding(Standing.SUCCEEDED, inputs, success)
        case AttemptFailed() as failure:
            until = [result.attempt for result in facts.results].index(failure.attempt) + 1
            why = why_final(step, failure, spent(facts.results[:until]))
            return StepStanding(Standing.FAILED, inputs, failure, f"{why}{failure.detail or failure.reason}")
