"""What must exist next in a run. Pure and total.

A decision belongs to one fact. It compares where the steps stood before the fact, in the order of the journal, with
where they stand after it, and asks for what has become due in between. The journal before a fact never changes, so a
redelivery, a restart or a second dispatcher decides the same, and each thing is asked for by exactly one fact: of a
join's predecessors the one that came last, of all results the one that leaves nothing to do.

A failed step blocks what comes after it and nothing else: siblings under way are awaited, other branches go on, and the
run ends as failed once every step is settled.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import assert_never

from loopy.compiler.plan import Retry, Step, Workflow
from loopy.runs.effects import Effect, EndRun, PublishEvent, RequestAttempt, SkipStep, StartTimer
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
    RunEnded,
    RunStarted,
    StepSkipped,
)
from loopy.runs.standing import Standing, StepStanding, spent_s, standings
from loopy.runs.state import RunState, evolve

JITTER = 0.2

Standings = Mapping[str, StepStanding]


def decide(workflow: Workflow, before: RunState, record: Record, now: datetime) -> list[Effect]:
    """What a fact calls for, given the state of the run just before it.

    Nothing when the run has ended, has not begun, or the fact changes nothing (a duplicate, a late result).
    """
    after = evolve(before, record)
    if after.started is None or before.ended is not None or after is before:
        return []
    was, stands = standings(workflow, before), standings(workflow, after)
    return [
        *_published(after.started, record, stands),
        *_steps(workflow, after.started, was, stands, now),
        *_retried(workflow, after, record, stands, now),
        *_ended(after.started, was, stands, now),
    ]


def retry(workflow: Workflow, state: RunState, step: str, attempt: int, now: datetime) -> list[Effect]:
    """What the timer of an attempt calls for: the attempt, unless the step has been settled meanwhile."""
    if state.started is None or state.ended is not None or step not in {known.name for known in workflow.steps}:
        return []
    standing = standings(workflow, state)[step]
    if standing.standing is not Standing.READY or not state.has_failed(step, attempt - 1):
        return []
    spent = spent_s(state.step(step).results)
    return [_request(workflow.step(step), state.started, standing, attempt, spent, now)]


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


def _steps(
    workflow: Workflow, started: RunStarted, was: Standings, stands: Standings, now: datetime
) -> Iterator[Effect]:
    """The steps that have become ready, and those that have become skipped."""
    for step in workflow.steps:
        if was[step.name].standing is not Standing.WAITING:
            continue
        match stands[step.name].standing:
            case Standing.READY:
                yield _request(step, started, stands[step.name], 1, 0.0, now)
            case Standing.SKIPPED_BY_WHEN:
                yield SkipStep(StepSkipped(started.run, started.workflow, step.name, now, "when"))
            case Standing.SKIPPED_BY_PREDECESSORS:
                yield SkipStep(StepSkipped(started.run, started.workflow, step.name, now, "predecessors"))
            case Standing.WAITING | Standing.SUCCEEDED | Standing.FAILED | Standing.BLOCKED:
                pass
            case other:
                assert_never(other)


def _request(
    step: Step, started: RunStarted, standing: StepStanding, attempt: int, spent: float, now: datetime
) -> RequestAttempt:
    """An attempt: it holds all that the executor needs besides the plan."""
    requested = AttemptRequested(
        run=started.run,
        workflow=started.workflow,
        step=step.name,
        attempt=attempt,
        plan=started.plan,
        event=started.event,
        inputs=standing.inputs,
        wall_clock_s=max(0.0, step.budget.wall_clock_s - spent),
        at=now,
    )
    return RequestAttempt(requested, step.pool)


def _retried(workflow: Workflow, after: RunState, record: Record, stands: Standings, now: datetime) -> Iterator[Effect]:
    """The timer of the next attempt after a failure that leaves one."""
    if not isinstance(record, AttemptFailed) or record.step not in stands:
        return
    if stands[record.step].standing is Standing.READY:
        attempt = record.attempt + 1
        policy = workflow.step(record.step).retry
        delay = timedelta(seconds=retry_delay_s(policy, after.run, record.step, attempt))
        yield StartTimer(after.run, record.step, attempt, now + delay)


def _ended(started: RunStarted, was: Standings, stands: Standings, now: datetime) -> Iterator[Effect]:
    """The run's end, when this fact settled the last of its steps."""
    if not _all_settled(stands) or _all_settled(was):
        return
    failed = next((name for name, step in stands.items() if step.standing is Standing.FAILED), None)
    if failed is not None:
        end = RunEnded(started.run, started.workflow, "failed", now, failed, stands[failed].detail)
    else:
        all_skipped = all(step.standing.is_skipped for step in stands.values())
        outcome: Outcome = "skipped" if all_skipped else "succeeded"
        end = RunEnded(started.run, started.workflow, outcome, now)
    yield EndRun(end)


def _all_settled(stands: Standings) -> bool:
    return all(step.standing.is_settled for step in stands.values())


def _settled_by(stands: Standings, step: str) -> Record | None:
    return stands[step].result if step in stands else None
