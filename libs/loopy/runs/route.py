"""Which runs an event starts. Pure: the shell reads what the cascade has started so far and records the answer."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from loopy.clock import rfc3339
from loopy.compiler.plan import CronTrigger, Limits, Plan
from loopy.runs.ids import firing_id, run_id
from loopy.runs.records import Event, EventRouted, Refusal, RoutedRun, RunStarted
from loopy.runs.slots import UnusableKey, slots_of

CRON = "cron"
HOPS_LIMIT = "cascade_hops"
RUNS_LIMIT = "cascade_runs"


class Beginning(msgspec.Struct, frozen=True):
    """A run's first fact; and why it cannot go on, where it cannot be told what it would have to hold."""

    started: RunStarted
    problem: str = ""


def route(plan: Plan, plan_hash: str, event: Event, earlier: Sequence[EventRouted], now: datetime) -> EventRouted:
    """Where an event leads. `earlier` is all that has been routed in its cascade.

    An event that was routed before keeps its route, whatever was deployed since. A workflow that a limit of the
    cascade keeps from starting is recorded as refused.
    """
    known = _known(event, earlier)
    if known is not None:
        return known
    workflows = _scheduled(plan, event) if event.type == CRON else plan.started_by(event.type)
    started = sum(len(routed.runs) for routed in earlier)
    allowed, refused = _within(plan.limits, workflows, event.hops, started)
    return EventRouted(
        event=event.id,
        type=event.type,
        cascade=event.cascade,
        plan=plan_hash,
        at=now,
        runs=tuple(RoutedRun(run_id(workflow, event.id), workflow) for workflow in allowed),
        refused=refused,
    )


def nowhere(plan_hash: str, event: Event, earlier: Sequence[EventRouted], now: datetime) -> EventRouted:
    """The route of an event that was set aside: it starts nothing, unless it was routed before."""
    return _known(event, earlier) or EventRouted(event.id, event.type, event.cascade, plan_hash, now)


def starts(plan: Plan | None, event: Event, routed: EventRouted) -> list[Beginning]:
    """How each run begins that an event starts.

    `plan` is the one by which it was routed; None when that is not to be had, so that no run can go on.
    """
    return [_beginning(plan, event, routed, run) for run in routed.runs]


def firing_event(workflow: str, scheduled_at: datetime, last_run: datetime | None) -> Event:
    """The event that a firing of a schedule is for the workflow that it starts."""
    identity = firing_id(workflow, int(scheduled_at.timestamp()))
    return Event(
        id=identity,
        type=CRON,
        source=f"/schedules/{workflow}",
        time=scheduled_at,
        data={"scheduled_at": rfc3339(scheduled_at), "last_run": None if last_run is None else rfc3339(last_run)},
        cascade=identity,
    )


def _beginning(plan: Plan | None, event: Event, routed: EventRouted, run: RoutedRun) -> Beginning:
    started = RunStarted(run.run, run.workflow, routed.plan, event, routed.at)
    try:
        slots = slots_of(plan, run.workflow, event) if plan is not None else ()
    except UnusableKey as error:
        return Beginning(started, str(error))
    return Beginning(msgspec.structs.replace(started, slots=slots) if slots else started)


def _known(event: Event, earlier: Sequence[EventRouted]) -> EventRouted | None:
    return next((routed for routed in earlier if routed.event == event.id), None)


def _scheduled(plan: Plan, event: Event) -> tuple[str, ...]:
    """The one workflow that a firing is for; none when the plan no longer schedules it."""
    workflow = plan.workflows.get(event.source.removeprefix("/schedules/"))
    return (workflow.name,) if workflow is not None and isinstance(workflow.trigger, CronTrigger) else ()


def _within(
    limits: Limits, workflows: Sequence[str], hops: int, started: int
) -> tuple[Sequence[str], tuple[Refusal, ...]]:
    """The workflows that may start, and a refusal for each that may not."""
    if hops > limits.cascade_hops:
        return (), tuple(Refusal(workflow, HOPS_LIMIT, limits.cascade_hops) for workflow in workflows)
    room = max(0, limits.cascade_runs - started)
    return workflows[:room], tuple(Refusal(workflow, RUNS_LIMIT, limits.cascade_runs) for workflow in workflows[room:])
