"""Deciding by a result alone, where it carries all that its decision needs. Pure.

When all that does not come before a step comes after it, as in a chain, then at its success every step is known: those
before it are settled, their outputs were its inputs, and those after it have not begun. The state of the run is then
the same as the journal would give, and no journal needs to be read.
"""

from collections.abc import Mapping

from loopy.compiler.plan import Workflow
from loopy.runs.records import AttemptSucceeded, Data, RunStarted
from loopy.runs.standing import Standing, StepStanding
from loopy.runs.state import RunState, StepState

_SUCCEEDED, _SKIPPED = Standing.SUCCEEDED, Standing.SKIPPED_BY_WHEN
_WAITING = StepStanding(Standing.WAITING)


def deciding_alone(workflow: Workflow) -> frozenset[str]:
    """The steps whose success says all there is to know of a run: each other step lies before it or after it."""
    before: dict[str, frozenset[str]] = {}
    for step in workflow.steps:
        before[step.name] = frozenset(step.after).union(*(before[name] for name in step.after))
    return frozenset(
        name
        for name, upstream in before.items()
        if all(other in upstream or name in before[other] or other == name for other in before)
    )


def standings_before(workflow: Workflow, success: AttemptSucceeded, before: RunState) -> dict[str, StepStanding]:
    """Where the steps stood just before such a success: those upstream are settled, its own was ready, all else waited.

    Of what each step upstream was given it says too much, namely all that this one was given; that is what those after
    it are given, too.
    """
    inputs = success.carried.inputs if success.carried is not None else {}
    known = dict.fromkeys((step.name for step in workflow.steps), _WAITING)
    for name, output in inputs.items():
        result = before.step(name).results[0] if output is not None else None
        known[name] = StepStanding(_SKIPPED if result is None else _SUCCEEDED, inputs, result)
    known[success.step] = StepStanding(Standing.READY, inputs)
    return known


def state_before(success: AttemptSucceeded) -> RunState | None:
    """The state of the run just before a success of its first epoch, by what it carries; None when it carries nothing.

    Steps upstream that were skipped are left out: that they were follows from the others' outputs.
    """
    carried = success.carried
    if carried is None or success.epoch:
        return None
    started = RunStarted(success.run, success.workflow, carried.plan, carried.event, success.started_at)
    return RunState(success.run, started, _upstream(success, carried.inputs), admitted=True)


def _upstream(success: AttemptSucceeded, inputs: Mapping[str, Data | None]) -> dict[str, StepState]:
    return {
        name: StepState((_stand_in(success, name, output),)) for name, output in inputs.items() if output is not None
    }


def _stand_in(success: AttemptSucceeded, step: str, output: Data) -> AttemptSucceeded:
    """A success of a step upstream, of which only its output matters."""
    at = success.started_at
    return AttemptSucceeded(success.run, success.workflow, step, 1, "", at, at, output)
