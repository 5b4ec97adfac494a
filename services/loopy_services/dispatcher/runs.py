"""From facts to what follows: the consumers of runs' journals and of timers."""

from typing import TypeAlias

import msgspec

from loopy.bus.client import Bus
from loopy.bus.facts import instead_of_result, read_fact
from loopy.bus.journal import read_before, read_run
from loopy.bus.messages import Ack, DeadLetter, Message, RetryAfter, Verdict, patience
from loopy.bus.plans import PlanStore
from loopy.bus.seal import Sealer
from loopy.bus.steering import Steering
from loopy.bus.undecodable import Undecodable
from loopy.clock import Clock
from loopy.compiler.plan import Workflow
from loopy.runs.chain import deciding_alone, standings_before, state_before
from loopy.runs.decide import decide, owed, retry
from loopy.runs.effects import EndRun, ReleaseSlots
from loopy.runs.lateness import is_late
from loopy.runs.records import (
    AttemptFailed,
    AttemptSucceeded,
    RunAdmitted,
    RunCancelled,
    RunResumed,
    RunStarted,
)
from loopy.runs.state import RunState
from loopy_services.dispatcher.core import abandoned, due_attempt
from loopy_services.dispatcher.performing import Performer

# The facts that something follows from; what follows from a run's start is decided with its event.
Turn: TypeAlias = AttemptSucceeded | AttemptFailed | RunAdmitted | RunResumed | RunCancelled
MOST_KNOWN = 256
LAST_EPOCH = 2**53  # no epoch comes after it


class Known(msgspec.Struct, frozen=True):
    """A workflow as it was when a run began, and its steps whose success can be decided on without the journal."""

    workflow: Workflow
    alone: frozenset[str]


class RunDecider:
    """Moves runs on: for each fact, publishes what the core says must exist next.

    Decisions go by the time at which the server stored the fact. It is the same for every dispatcher, and the server's
    clock is the one by which it fires timers.
    """

    def __init__(
        self, bus: Bus, plans: PlanStore, performer: Performer, sealer: Sealer, steering: Steering, clock: Clock
    ) -> None:
        self._bus = bus
        self._plans = plans
        self._performer = performer
        self._sealer = sealer
        self._steering = steering
        self._clock = clock
        self._known: dict[tuple[str, str], Known] = {}

    async def begin(self, message: Message, started: RunStarted) -> Verdict:
        """Do what a run's first fact calls for, which followed from this message."""
        return await self._move_on(message, RunState(started.run), started, started)

    async def abandon(self, started: RunStarted, why: str) -> None:
        """End a run that nobody can move on, whatever it has come to."""
        end = EndRun(abandoned(started, why, self._clock.now()))
        await self._performer.perform(started, [end, ReleaseSlots(started.run, LAST_EPOCH, started.slots)])

    async def ask_again(self, state: RunState) -> None:
        """Ask again for what a run is owed; what is there already stays as it is."""
        known = await self._workflow(state.started) if state.started is not None else None
        if state.started is not None and known is not None:
            effects = owed(known.workflow, state, self._clock.now())
            await self._performer.perform(state.started, effects, known.alone)

    async def on_fact(self, message: Message) -> Verdict:
        """Consume one fact of a run. Undecodable."""
        try:
            record = read_fact(self._bus.subjects, message)
        except Undecodable as error:
            return await self._instead_of_result(message, error)
        match record:
            case AttemptSucceeded():
                return await self._alone(message, record) or await self._by_journal(message, record)
            case AttemptFailed() | RunAdmitted() | RunResumed() | RunCancelled():
                return await self._by_journal(message, record)
            case _:
                return Ack()

    async def _instead_of_result(self, message: Message, why: Undecodable) -> Verdict:
        """Set aside what is no fact; where an attempt's result belongs, the run goes on as after its failure."""
        failure = instead_of_result(self._bus.subjects, message, why)
        verdict = await self._by_journal(message, failure) if failure is not None else Ack()
        return verdict if isinstance(verdict, RetryAfter) else DeadLetter(why.reason, why.detail, foreign=True)

    async def on_timer(self, message: Message) -> Verdict:
        """Consume a timer that fired: request the attempt that was put off. Undecodable."""
        due = due_attempt(message.payload)
        state = await read_run(self._bus, due.run)
        if state is None or state.started is None:
            return patience(message.deliveries) or DeadLetter("unknown_run", f"nothing is recorded of run {due.run}")
        if state.ended is not None:
            return Ack()
        if state.step(due.step).epoch <= due.epoch and not state.has_failed(due.step, due.epoch, due.attempt - 1):
            missing = f"run {due.run} has no failed attempt {due.attempt - 1} of step `{due.step}`"
            return patience(message.deliveries) or DeadLetter("unknown_attempt", missing)
        known = await self._workflow(state.started)
        if known is None:
            return await self._without_plan(message, state.started)
        effects = retry(known.workflow, state, due.step, due.epoch, due.attempt, message.time)
        await self._performer.perform(state.started, effects, known.alone)
        return Ack()

    async def _alone(self, message: Message, success: AttemptSucceeded) -> Verdict | None:
        """Decide by what a success carries; None when the journal must be read.

        That is so where it emitted events: whether these may be published depends on whether the run was ended before.
        And where it was long under way: the run may be over and archived. And where the run would end by it, while
        something was said of the run as a whole that is not known of here yet.
        """
        before = state_before(success)
        if before is None or before.started is None or success.emits or self._steering.is_steered(success.run):
            return None
        if is_late(success.at, message.time):
            return None
        known = await self._workflow(before.started)
        if known is None or success.step not in known.alone or not self._sealer.is_genuine(success):
            return None
        await self._performer.spending.enter(success, message, before.started.event.cascade)
        stood = standings_before(known.workflow, success, before)
        effects = decide(known.workflow, before, success, message.time, stood)
        end = next((effect for effect in effects if isinstance(effect, EndRun)), None)
        await self._performer.perform(before.started, [each for each in effects if each is not end], known.alone)
        if end is not None and not await self._performer.end_unless_steered(before.started, end.end):
            return None
        return Ack()

    async def _by_journal(self, message: Message, record: Turn) -> Verdict:
        before = await read_before(self._bus, record.run, message)
        if before.started is None:
            return DeadLetter("unknown_run", f"no RunStarted comes before {message.subject}", foreign=True)
        if isinstance(record, AttemptSucceeded | AttemptFailed):
            await self._performer.spending.enter(record, message, before.started.event.cascade)
        return await self._move_on(message, before, record, before.started)

    async def _move_on(
        self, message: Message, before: RunState, record: Turn | RunStarted, started: RunStarted
    ) -> Verdict:
        known = await self._workflow(started)
        if known is None:
            return await self._without_plan(message, started)
        effects = decide(known.workflow, before, record, message.time)
        await self._performer.perform(started, effects, known.alone)
        return Ack()

    async def _without_plan(self, message: Message, started: RunStarted) -> Verdict:
        """Wait for a run's plan; when it does not come, end the run, since nobody can say what follows."""
        wait = patience(message.deliveries)
        if wait is not None:
            return wait
        why = f"workflow `{started.workflow}` of plan {started.plan} is not on the bus, or cannot be read"
        await self.abandon(started, why)
        return DeadLetter("unknown_plan", why)

    async def _workflow(self, started: RunStarted) -> Known | None:
        """The workflow as it was when the run began; None when its plan is not to be had, or has it not."""
        name = (started.plan, started.workflow)
        if name not in self._known:
            try:
                plan = await self._plans.get(started.plan)
            except Undecodable:
                return None
            workflow = plan.workflows.get(started.workflow) if plan is not None else None
            if workflow is None:
                return None
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[name] = Known(workflow, deciding_alone(workflow))
        return self._known[name]
