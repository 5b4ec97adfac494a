"""What must exist next in a run. Pure and total.

A decision belongs to one fact. It compares where the steps stood before the fact, in the order of the journal, with
where they stand after it, and asks for what has become due in between. The journal before a fact never changes, so a
redelivery, a restart or a second dispatcher decides the same, and each thing is asked for by exactly one fact: of a
join's predecessors the one that came last, of all results the one that leaves nothing to do.

A failed step blocks what comes after it and nothing else: siblings under way are awaited, other branches go on, and
once every step is settled the run has failed. It keeps all that it has and can be resumed from that step.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal, assert_never

import msgspec

from loopy.compiler.plan import Retry, Step, Workflow
from loopy.runs.effects import (
    Effect,
    EndRun,
    FailRun,
    PublishEvent,
    QueueRun,
    ReleaseSlots,
    RequestAttempt,
    SkipStep,
    StartTimer,
)
from loopy.runs.emissions import emissions
from loopy.runs.ids import derive
from loopy.runs.records import (
    AttemptFailed,
    AttemptRequested,
    AttemptSucceeded,
    Cause,
    Event,
    Outcome,
    Record,
    RunCancelled,
    RunEnded,
    RunFailed,
    RunResumed,
    RunStarted,
    StepSkipped,
)
from loopy.runs.standing import Standing, StepStanding, amended, spent, standings, standings_after
from loopy.runs.state import Result, RunState, evolve

JITTER = 0.2

Standings = Mapping[str, StepStanding]


def decide(
    workflow: Workflow, before: RunState, record: Record, now: datetime, known: Standings | None = None
) -> list[Effect]:
    """What a fact calls for, given the state of the run just before it, and where its steps stood, if `known`.

    Nothing when the run has ended, was cancelled, has not begun, or the fact changes nothing (a duplicate, a result of
    a past epoch).
    """
    after = evolve(before, record)
    if after.started is None or before.ended is not None or before.cancelled is not None or after is before:
        return []
    if isinstance(record, RunCancelled):
        return _over(after, EndRun(_cancelled(record, now)))
    was = standings(workflow, before) if known is None else known
    if isinstance(record, AttemptSucceeded | AttemptFailed):
        stands = standings_after(workflow, after, was, record)
    else:
        stands = standings(workflow, after)
    return [
        *_published(after.started, record, stands),
        *_queued(after, record, stands),
        *_steps(workflow, before, after, was, stands, now),
        *_retried(workflow, after, record, stands, now),
        *_settled(after, record, was, stands, now),
    ]


def retry(workflow: Workflow, state: RunState, step: str, epoch: int, attempt: int, now: datetime) -> list[Effect]:
    """What the timer of an attempt calls for: the attempt, unless the step was settled or the run steered meanwhile."""
    if not state.is_open or step not in {known.name for known in workflow.steps}:
        return []
    standing = standings(workflow, state)[step]
    if standing.standing is not Standing.READY or not state.has_failed(step, epoch, attempt - 1):
        return []
    return [_request(workflow.step(step), state, standing, attempt, now)]


def owed(workflow: Workflow, state: RunState, now: datetime) -> list[Effect]:
    """What a run has asked for that is not settled, to be asked for again where it may have been lost."""
    if state.started is None or not state.is_open:
        return []
    effects: list[Effect] = []
    for name, standing in standings(workflow, state).items():
        if standing.standing is Standing.READY:
            step, results = workflow.step(name), state.step(name).results
            failure = results[-1] if results else None
            effects.append(_next(step, state, failure, now) if failure else _request(step, state, standing, 1, now))
    return effects


def retry_delay_s(policy: Retry, run: str, step: str, attempt: int) -> float:
    """The seconds to wait before an attempt (the second or a later one).

    Doubled after each failure up to the cap, then moved by at most a fifth either way, by an amount that follows from
    the ids: steps that failed together come back apart, and the same retry is due at the same time for everyone.
    """
    doublings = min(attempt - 2, 64)
    delay = min(policy.max_backoff_s, policy.backoff_s * 2.0**doublings)
    share = int(derive("jitter", run, step, str(attempt))[:8], 16) / 0xFFFF_FFFF
    return min(policy.max_backoff_s, delay * (1 - JITTER + 2 * JITTER * share))


def _published(started: RunStarted, record: Record, stands: Standings) -> Iterator[Effect]:
    """The events that a success emitted; none when the step was settled before by another result."""
    if not isinstance(record, AttemptSucceeded) or _settled_by(stands, record.step) is not record:
        return
    for identity, emitted in emissions(record):
        yield PublishEvent(
            Event(
                id=identity,
                type=emitted.event,
                source=f"/{record.workflow}/{record.step}",
                time=record.at,
                data=emitted.data,
                cascade=started.event.cascade,
                hops=started.event.hops + 1,
                cause=Cause(record.run, record.step),
                traceparent=started.event.traceparent,
            )
        )


def _queued(after: RunState, record: Record, stands: Standings) -> Iterator[Effect]:
    """A run that is to begin, or was resumed, first waits for its slots (which it may still hold)."""
    if not isinstance(record, RunStarted | RunResumed) or after.admitted or _all_settled(stands):
        return
    if after.started is not None:
        yield QueueRun(after.run, after.started.workflow, after.epoch, after.started.slots)


def _steps(
    workflow: Workflow, before: RunState, after: RunState, was: Standings, stands: Standings, now: datetime
) -> Iterator[Effect]:
    """The attempts that may begin now, and the steps that have become skipped."""
    for step in workflow.steps:
        anew = before.step(step.name).epoch != after.step(step.name).epoch
        match stands[step.name].standing:
            case Standing.READY:
                was_asked = before.is_open and was[step.name].standing is Standing.READY and not anew
                if after.is_open and not was_asked:
                    attempt = len(after.step(step.name).results) + 1
                    yield _request(step, after, stands[step.name], attempt, now)
            case Standing.SKIPPED_BY_WHEN | Standing.SKIPPED_BY_PREDECESSORS as skipped:
                if anew or was[step.name].standing is Standing.WAITING:
                    yield SkipStep(_skip(after, step, skipped, now))
            case Standing.WAITING | Standing.SUCCEEDED | Standing.FAILED | Standing.BLOCKED:
                pass
            case other:
                assert_never(other)


def _skip(state: RunState, step: Step, skipped: Standing, now: datetime) -> StepSkipped:
    reason: Literal["when", "predecessors"] = "when" if skipped is Standing.SKIPPED_BY_WHEN else "predecessors"
    workflow = state.started.workflow if state.started else ""
    return StepSkipped(state.run, workflow, step.name, now, reason, state.step(step.name).epoch)


def _request(step: Step, state: RunState, standing: StepStanding, attempt: int, now: datetime) -> RequestAttempt:
    """An attempt: it holds all that the executor needs besides the plan."""
    assert state.started is not None
    started, facts = state.started, state.step(step.name)
    so_far, cap = spent(facts.results), step.budget.spend_usd
    event = started.event
    if "event" in facts.edits:
        event = msgspec.structs.replace(event, data=amended(event.data, facts, "event"))
    requested = AttemptRequested(
        run=started.run,
        workflow=started.workflow,
        step=step.name,
        attempt=attempt,
        plan=started.plan,
        event=event,
        inputs=standing.inputs,
        wall_clock_s=max(0.0, step.budget.wall_clock_s - so_far.seconds),
        at=now,
        epoch=facts.epoch,
        spend_usd=None if cap is None else max(0.0, cap - so_far.usd),
    )
    return RequestAttempt(requested, step.pool)


def _retried(workflow: Workflow, after: RunState, record: Record, stands: Standings, now: datetime) -> Iterator[Effect]:
    """The timer of the next attempt after a failure that leaves one; a paused run asks for it when it is resumed."""
    if not isinstance(record, AttemptFailed) or record.step not in stands or not after.is_open:
        return
    if stands[record.step].standing is Standing.READY:
        yield _next(workflow.step(record.step), after, record, now)


def _next(step: Step, state: RunState, failure: Result, now: datetime) -> StartTimer:
    """The timer of the attempt after one that failed."""
    attempt = failure.attempt + 1
    delay = timedelta(seconds=retry_delay_s(step.retry, state.run, step.name, attempt))
    return StartTimer(state.run, step.name, failure.epoch, attempt, now + delay)


def _settled(after: RunState, record: Record, was: Standings, stands: Standings, now: datetime) -> list[Effect]:
    """The run's end or failure, when this fact settled the last of its steps."""
    assert after.started is not None
    started = after.started
    if not _all_settled(stands) or (_all_settled(was) and not isinstance(record, RunResumed)):
        return []
    failed = next((name for name, step in stands.items() if step.standing is Standing.FAILED), None)
    if failed is not None:
        failure = RunFailed(started.run, started.workflow, after.epoch, now, failed, stands[failed].detail)
        return _over(after, FailRun(failure))
    all_skipped = all(step.standing.is_skipped for step in stands.values())
    outcome: Outcome = "skipped" if all_skipped else "succeeded"
    return _over(after, EndRun(RunEnded(started.run, started.workflow, outcome, now)))


def _over(state: RunState, over: FailRun | EndRun) -> list[Effect]:
    """The run's end or failure, and then its slots given back."""
    slots = state.started.slots if state.started else ()
    return [over, ReleaseSlots(state.run, state.epoch, slots)] if slots else [over]


def _cancelled(record: RunCancelled, now: datetime) -> RunEnded:
    return RunEnded(record.run, record.workflow, "cancelled", now, None, record.why, record.by)


def _all_settled(stands: Standings) -> bool:
    return all(step.standing.is_settled for step in stands.values())


def _settled_by(stands: Standings, step: str) -> Record | None:
    return stands[step].result if step in stands else None
