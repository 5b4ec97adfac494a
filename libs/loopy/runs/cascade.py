"""A cascade as a tree: an event, the runs that it started, their steps, the events that these emitted, and so on.

Built from what is on the bus alone: `EventRouted` says which runs follow from an event, a step's success which events
follow from it. Nothing is guessed: a cascade is done when each of its events was routed and each of its runs has ended,
or failed.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias, assert_never

import msgspec

from loopy.compiler.plan import Plan, Workflow
from loopy.runs.emissions import emissions
from loopy.runs.records import (
    AttemptFailed,
    AttemptSucceeded,
    Data,
    EventRouted,
    Outcome,
    Refusal,
    RunStarted,
    Usage,
)
from loopy.runs.standing import Standing, StepStanding, duration_s, standings
from loopy.runs.state import Result, RunState, StepState
from loopy.runs.summary import verdict

Progress: TypeAlias = Literal[
    "waiting", "running", "retrying", "succeeded", "failed", "skipped", "blocked", "cancelled"
]


class CascadeStep(msgspec.Struct, frozen=True):
    """One step of a run, as far as it has come.

    `waiting`: not all steps before it are settled, or its run waits for its slots; `running`: handed to the executors;
    `retrying`: an attempt failed and another follows; `blocked`: a step before it failed; `cancelled`: its run ended
    before it did. `duration_s` is what its attempts took, None before the first result; `detail` says why it failed, or
    why its last attempt did.
    """

    name: str
    progress: Progress
    attempts: int = 0
    duration_s: float | None = None
    output: Data | None = None
    detail: str = ""
    usage: Usage = Usage()
    emitted: tuple["CascadeEvent", ...] = ()


class CascadeRun(msgspec.Struct, frozen=True):
    """One run. `outcome` is None while it is under way, `started_at` while it is only known that it will be.

    One that has failed `can_resume` until it is ended; `paused` says that somebody had it pause, `by` who ended it.
    """

    run: str
    workflow: str
    outcome: Outcome | None = None
    failed_step: str | None = None
    detail: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    steps: tuple[CascadeStep, ...] = ()
    can_resume: bool = False
    paused: bool = False
    by: str = ""


class CascadeEvent(msgspec.Struct, frozen=True):
    """One event and the runs that it started; `routed` is false while no dispatcher has seen to it.

    `data` is None where no run holds it: of an event that started nothing and that no step emitted.
    """

    id: str
    type: str
    routed: bool
    data: Data | None = None
    runs: tuple[CascadeRun, ...] = ()
    refused: tuple[Refusal, ...] = ()


class Cascade(msgspec.Struct, frozen=True):
    """A first event and all that follows from it.

    `roots` begins with the first event as soon as it is routed. More than one root means that a stranger published
    events which claim to belong to the cascade.
    """

    id: str
    roots: tuple[CascadeEvent, ...] = ()

    @property
    def root(self) -> CascadeEvent | None:
        """The first event; None before it is routed."""
        return self.roots[0] if self.roots else None

    @property
    def events(self) -> list[CascadeEvent]:
        """Every event, each before what follows from it."""
        return [event for root in self.roots for event in _events(root)]

    @property
    def runs(self) -> list[CascadeRun]:
        """Every run, each before those that follow from it."""
        return [run for event in self.events for run in event.runs]

    @property
    def steps(self) -> list[CascadeStep]:
        """Every step of every run."""
        return [step for run in self.runs for step in run.steps]

    @property
    def done(self) -> bool:
        """Nothing more will happen."""
        return (
            bool(self.roots)
            and all(event.routed for event in self.events)
            and all(run.outcome is not None for run in self.runs)
        )

    @property
    def failed(self) -> bool:
        """A run ended otherwise than succeeded or skipped, or a limit kept one from starting."""
        return any(run.outcome not in (None, "succeeded", "skipped") for run in self.runs) or any(
            event.refused for event in self.events
        )


def cascade_of(
    identity: str, routed: Sequence[EventRouted], runs: Mapping[str, RunState], plans: Mapping[str, Plan]
) -> Cascade:
    """The tree of these facts. `runs` is by run id, `plans` by hash; what is missing of either is left out."""
    return _Builder({fact.event: fact for fact in routed}, runs, plans).cascade(identity)


class _Builder:
    """Joins facts into a tree. It remembers where it has been, so that forged facts cannot make it go in circles."""

    def __init__(
        self, routed: Mapping[str, EventRouted], runs: Mapping[str, RunState], plans: Mapping[str, Plan]
    ) -> None:
        self._routed = routed
        self._runs = runs
        self._plans = plans
        self._seen: set[str] = set()

    def cascade(self, identity: str) -> Cascade:
        """The first event's tree, then those of events that nothing in the cascade leads to."""
        emitted = {event for state in self._runs.values() for event in _emitted_ids(state)}
        first = [identity] if identity in self._routed else []
        others = [event for event in self._routed if event != identity and event not in emitted]
        roots = [self._event(event, self._routed[event].type, self._data(event)) for event in [*first, *others]]
        return Cascade(identity, tuple(roots))

    def _data(self, event: str) -> Data | None:
        for run in self._routed[event].runs:
            state = self._runs.get(run.run)
            if state is not None and state.started is not None:
                return state.started.event.data
        return None

    def _event(self, identity: str, event_type: str, data: Data | None) -> CascadeEvent:
        fact = self._routed.get(identity)
        if fact is None or identity in self._seen:
            return CascadeEvent(identity, event_type, routed=fact is not None, data=data)
        self._seen.add(identity)
        runs = tuple(self._run(run.run, run.workflow) for run in fact.runs)
        return CascadeEvent(identity, event_type, True, data, runs, fact.refused)

    def _run(self, run: str, workflow: str) -> CascadeRun:
        state = self._runs.get(run, RunState(run))
        started, stands = state.started, verdict(state)
        return CascadeRun(
            run=run,
            workflow=workflow,
            outcome=stands.outcome,
            failed_step=stands.step,
            detail=stands.detail,
            started_at=started.at if started else None,
            ended_at=stands.at,
            steps=self._steps(state),
            can_resume=state.failed is not None and state.ended is None,
            paused=state.paused is not None and state.ended is None,
            by=stands.by,
        )

    def _steps(self, state: RunState) -> tuple[CascadeStep, ...]:
        workflow = self._workflow(state.started)
        if workflow is None:
            return tuple(self._step(state, name, _bare_standing(state, name)) for name in state.steps)
        return tuple(self._step(state, name, s) for name, s in standings(workflow, state).items())

    def _workflow(self, started: RunStarted | None) -> Workflow | None:
        plan = self._plans.get(started.plan) if started else None
        return plan.workflows.get(started.workflow) if plan and started else None

    def _step(self, state: RunState, name: str, stands: StepStanding) -> CascadeStep:
        facts, settled_by = state.step(name), stands.result
        results = facts.results
        success = settled_by if isinstance(settled_by, AttemptSucceeded) else None
        last = results[-1] if results else None
        return CascadeStep(
            name=name,
            progress=_progress(stands.standing, facts, state),
            attempts=max((result.attempt for result in results), default=0),
            duration_s=sum(map(duration_s, results)) if results else None,
            output=success.output if success else None,
            detail=stands.detail or (last.detail if isinstance(last, AttemptFailed) and settled_by is None else ""),
            usage=_usage(results),
            emitted=tuple(self._event(i, e.event, e.data) for i, e in emissions(success)) if success else (),
        )


def _events(event: CascadeEvent) -> Iterator[CascadeEvent]:
    yield event
    for run in event.runs:
        for step in run.steps:
            for emitted in step.emitted:
                yield from _events(emitted)


def _emitted_ids(state: RunState) -> Iterator[str]:
    for step in state.steps.values():
        for result in step.results:
            if isinstance(result, AttemptSucceeded):
                yield from (identity for identity, _ in emissions(result))


def _usage(results: Sequence[Result]) -> Usage:
    return Usage(
        sum(result.usage.input_tokens for result in results),
        sum(result.usage.output_tokens for result in results),
        sum(result.usage.spend_usd for result in results),
    )


def _progress(standing: Standing, facts: StepState, run: RunState) -> Progress:
    if run.ended is not None and standing in (Standing.WAITING, Standing.READY):
        return "cancelled"
    match standing:
        case Standing.WAITING:
            return "waiting"
        case Standing.READY:
            if not run.admitted:
                return "waiting"
            return "retrying" if facts.results else "running"
        case Standing.SUCCEEDED:
            return "succeeded"
        case Standing.FAILED:
            return "failed"
        case Standing.SKIPPED_BY_WHEN | Standing.SKIPPED_BY_PREDECESSORS:
            return "skipped"
        case Standing.BLOCKED:
            return "blocked"
        case _:
            assert_never(standing)


def _bare_standing(state: RunState, name: str) -> StepStanding:
    """Where a step stands by its facts alone, for a run whose plan is not to be had."""
    facts = state.step(name)
    success = next((result for result in facts.results if isinstance(result, AttemptSucceeded)), None)
    if success is not None:
        return StepStanding(Standing.SUCCEEDED, result=success)
    if facts.skipped is not None:
        return StepStanding(Standing.SKIPPED_BY_WHEN)
    failed = state.is_over and bool(facts.results)
    return StepStanding(Standing.FAILED if failed else Standing.READY)
