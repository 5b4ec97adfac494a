"""What somebody asks of a run: the one record that has it done, or the sentence that refuses it. Pure.

The record is all that a steering command writes. What follows from it is decided as after any other fact (`decide`), so
a command may be repeated, and two people may give commands at once: each record has one place, the first writer has it.
"""

from datetime import datetime
from typing import TypeAlias, assert_never

import msgspec

from loopy.compiler.plan import Plan, Workflow
from loopy.diagnostics.suggest import did_you_mean
from loopy.runs.edits import Refused, and_after, checked_edits
from loopy.runs.records import Data, RunCancelled, RunPaused, RunResumed, RunStarted
from loopy.runs.route import CRON
from loopy.runs.standing import Standing, standings
from loopy.runs.state import RunState

Steered: TypeAlias = RunPaused | RunResumed | RunCancelled


class Pause(msgspec.Struct, frozen=True):
    """Let nothing new begin in the run; what is executing goes on to its end."""


class Resume(msgspec.Struct, frozen=True):
    """Let a paused run go on."""


class Retry(msgspec.Struct, frozen=True):
    """Run steps again: `step` and all that come after it; None: what has failed, and all that come after.

    `edits` amend, for what runs again, the event's fields (under `event`) and outputs of steps before.
    """

    step: str | None = None
    edits: dict[str, Data] = {}


class Cancel(msgspec.Struct, frozen=True):
    """End the run: agents at work are stopped, nothing follows."""


Wish: TypeAlias = Pause | Resume | Retry | Cancel


class Asked(msgspec.Struct, frozen=True):
    """A wish, who has it, and why (perhaps empty)."""

    wish: Wish
    by: str
    why: str = ""


def steer(plan: Plan | None, state: RunState, asked: Asked, now: datetime) -> Steered | Refused:
    """The record of what is asked of a run, or why it cannot be. `plan` is the run's; without it nothing is retried."""
    started = state.started
    if started is None:
        return Refused("its first fact is not on the bus, so nothing can be done with it")
    if state.ended is not None:
        return Refused(f"it has ended ({state.ended.outcome}), and what has ended stays so", _replay_hint(started))
    if state.cancelled is not None:
        return Refused(f"it was cancelled by {state.cancelled.by}")
    who = (asked.by, asked.why)
    match asked.wish:
        case Cancel():
            return RunCancelled(started.run, started.workflow, now, *who)
        case Pause():
            return _why_not_pause(plan, state) or RunPaused(started.run, started.workflow, state.epoch, now, *who)
        case Resume():
            return _why_not_resume(state) or RunResumed(started.run, started.workflow, state.epoch + 1, now, *who)
        case Retry() as retry:
            return _retried(plan, state, started, asked, retry, now)
        case _:
            assert_never(asked.wish)


def _why_not_pause(plan: Plan | None, state: RunState) -> Refused | None:
    if state.failed is not None:
        return Refused("it has failed, so nothing goes on in it", _retry_hint(state))
    if state.paused is not None:
        return Refused(f"it was paused already, by {state.paused.by}")
    return _why_too_late(plan, state)


def _why_not_resume(state: RunState) -> Refused | None:
    if state.failed is not None:
        return Refused(f"it has failed at step `{state.failed.step}`, so that has to run again", _retry_hint(state))
    if state.paused is None:
        return Refused("it is not paused")
    return None


def _why_too_late(plan: Plan | None, state: RunState) -> Refused | None:
    """Once every step is done, the run's end follows from the last result, whatever is said of the run after it."""
    started = state.started
    workflow = plan.workflows.get(started.workflow) if plan is not None and started is not None else None
    if started is None or workflow is None or state.failed is not None:
        return None
    stands = [step.standing for step in standings(workflow, state).values()]
    if Standing.FAILED in stands or not all(each.is_settled for each in stands):
        return None
    return Refused("every step of it is done, so it is about to end", _replay_hint(started))


def _replay_hint(started: RunStarted) -> str:
    """How the event runs again; nothing for a schedule's firing, which is no event that could be published anew."""
    return "" if started.event.type == CRON else f"`loopy runs replay {started.event.id}` runs its event again"


def _retry_hint(state: RunState) -> str:
    return f"`loopy runs retry {state.run}` runs again what failed"


def _retried(
    plan: Plan | None, state: RunState, started: RunStarted, asked: Asked, retry: Retry, now: datetime
) -> RunResumed | Refused:
    workflow = plan.workflows.get(started.workflow) if plan is not None else None
    if plan is None or workflow is None:
        return Refused(f"plan {started.plan}, by which it runs, is not on the bus or cannot be read")
    first = _why_too_late(plan, state) or _first(workflow, state, retry.step)
    if isinstance(first, Refused):
        return first
    steps = and_after(workflow, first)
    edits = checked_edits(plan, workflow, state, steps, retry.edits)
    if isinstance(edits, Refused):
        return edits
    epoch = state.epoch + 1
    return RunResumed(started.run, started.workflow, epoch, now, asked.by, asked.why, steps=steps, edits=edits)


def _first(workflow: Workflow, state: RunState, step: str | None) -> frozenset[str] | Refused:
    """The steps that are to run again for their own sake."""
    if step is None:
        failed = frozenset(
            name for name, stands in standings(workflow, state).items() if stands.standing is Standing.FAILED
        )
        return failed or Refused("no step of it has failed", "`--from STEP` names one that is to run again")
    names = [known.name for known in workflow.steps]
    if step not in names:
        return Refused(
            f"workflow `{workflow.name}` has no step `{step}`",
            did_you_mean(step, names) or f"it has {', '.join(names)}",
        )
    return frozenset((step,))
