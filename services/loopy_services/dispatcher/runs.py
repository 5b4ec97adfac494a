"""From facts to what follows: the consumers of runs' journals and of timers."""

import asyncio
from collections.abc import Sequence

import structlog

from loopy.bus.client import Bus, MessageTooLarge
from loopy.bus.codec import read_record, record_message, record_subject
from loopy.bus.journal import read_before, read_run
from loopy.bus.messages import Ack, DeadLetter, Message, Verdict, patience
from loopy.bus.plans import PlanStore
from loopy.bus.streams import EVENTS, RUNS
from loopy.bus.undecodable import Undecodable
from loopy.clock import Clock
from loopy.compiler.plan import Plan, Workflow
from loopy.kit.metrics import RUNS_ENDED, UNMEASURED, Metrics
from loopy.runs.decide import decide, retry
from loopy.runs.effects import Effect, EndRun, RequestAttempt
from loopy.runs.records import AttemptFailed, AttemptSucceeded, Record, RunEnded, RunStarted
from loopy.runs.state import RunState
from loopy_services.dispatcher.core import (
    abandoned,
    due_attempt,
    firing_mark,
    is_newer_mark,
    may_be_scheduled,
    message_of,
    unrequestable,
)

log = structlog.get_logger()


class RunDecider:
    """Moves runs on: for each fact, publishes what the core says must exist next.

    Decisions go by the time at which the server stored the fact. It is the same for every dispatcher, and the server's
    clock is the one by which it fires timers.
    """

    def __init__(self, bus: Bus, plan: Plan, plans: PlanStore, clock: Clock, metrics: Metrics = UNMEASURED) -> None:
        self._bus = bus
        self._plan = plan
        self._plans = plans
        self._clock = clock
        self._metrics = metrics

    async def on_fact(self, message: Message) -> Verdict:
        """Consume one fact of a run. Undecodable."""
        record = read_record(message)
        if message.subject != (place := record_subject(self._bus.subjects, record, "")):
            return DeadLetter("misplaced", f"a record like this one belongs on {place}")
        match record:
            case RunStarted():
                return await self._move_on(message, RunState(record.run), record, record)
            case AttemptSucceeded() | AttemptFailed():
                before = await read_before(self._bus, record.run, message)
                return await self._move_on(message, before, record, before.started)
            case RunEnded():
                if message.deliveries <= 1:
                    self._metrics.add(RUNS_ENDED, record.workflow, record.outcome)
                return await self._on_end(record)
            case _:
                return Ack()

    async def on_timer(self, message: Message) -> Verdict:
        """Consume a timer that fired: request the attempt that was put off. Undecodable."""
        due = due_attempt(message.payload)
        state = await read_run(self._bus, due.run)
        if state is None or state.started is None or not state.has_failed(due.step, due.attempt - 1):
            missing = f"run {due.run} has no failed attempt {due.attempt - 1} of step `{due.step}`"
            return patience(message.deliveries) or DeadLetter("unknown_attempt", missing)
        workflow = await self._workflow(state.started)
        if workflow is None:
            return await self._without_plan(message, state.started)
        await self._perform(retry(workflow, state, due.step, due.attempt, message.time))
        return Ack()

    async def _move_on(self, message: Message, before: RunState, record: Record, started: RunStarted | None) -> Verdict:
        if started is None:
            return DeadLetter("unknown_run", f"no RunStarted comes before {message.subject}")
        workflow = await self._workflow(started)
        if workflow is None:
            return await self._without_plan(message, started)
        await self._perform(decide(workflow, before, record, message.time))
        return Ack()

    async def _without_plan(self, message: Message, started: RunStarted) -> Verdict:
        """Wait for a run's plan; when it does not come, end the run, since nobody can say what follows."""
        wait = patience(message.deliveries)
        if wait is not None:
            return wait
        why = f"workflow `{started.workflow}` of plan {started.plan} is not on the bus, or cannot be read"
        await self._perform([EndRun(abandoned(started, why, self._clock.now()))])
        return DeadLetter("unknown_plan", why)

    async def _on_end(self, ended: RunEnded) -> Verdict:
        """Mark the firing that a run came from, if one; a newer mark says as much."""
        log.info("run.ended", run=ended.run, workflow=ended.workflow, outcome=ended.outcome, detail=ended.detail)
        if not may_be_scheduled(self._plan, ended.workflow):
            return Ack()
        message = await self._bus.last(RUNS, self._bus.subjects.start(ended.run))
        started = read_record(message) if message is not None else None
        mark = firing_mark(self._bus.subjects, started, ended) if isinstance(started, RunStarted) else None
        if mark is not None and not await self._newer_mark(mark.subject):
            await self._bus.publish_once(mark)
        return Ack()

    async def _newer_mark(self, subject: str) -> bool:
        newest = await self._bus.last(EVENTS, f"{subject.rpartition('.')[0]}.*")
        return newest is not None and is_newer_mark(newest.subject, subject, self._clock.now())

    async def _workflow(self, started: RunStarted) -> Workflow | None:
        """The workflow as it was when the run began; None when its plan is not to be had, or has it not."""
        try:
            plan = await self._plans.get(started.plan)
        except Undecodable:
            return None
        return plan.workflows.get(started.workflow) if plan is not None else None

    async def _perform(self, effects: Sequence[Effect]) -> None:
        """Publish what must exist; the run's end after all else that the same fact calls for."""
        last = [effect for effect in effects if isinstance(effect, EndRun)]
        await self._publish([effect for effect in effects if not isinstance(effect, EndRun)])
        await self._publish(last)

    async def _publish(self, effects: Sequence[Effect]) -> None:
        await asyncio.gather(*(self._bring_about(effect) for effect in effects))

    async def _bring_about(self, effect: Effect) -> None:
        """Publish one effect. An attempt whose inputs add up to more than a message can hold has failed instead."""
        subjects = self._bus.subjects
        try:
            await self._bus.publish_once(message_of(subjects, effect))
        except MessageTooLarge as error:
            if not isinstance(effect, RequestAttempt):
                raise
            failure = unrequestable(effect.attempt, str(error), self._clock.now())
            await self._bus.publish_once(record_message(subjects, failure))
