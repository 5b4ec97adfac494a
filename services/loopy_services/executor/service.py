"""The executor: takes attempts from its pool, executes them, and publishes how each ended.

It never publishes events or further attempts: the dispatcher derives those from the facts. It executes an attempt while
it holds the lease of its step. If this process dies, its attempts are delivered again to another executor, which takes
the lease as soon as it has run out.
"""

import asyncio
import contextlib
import os
import secrets
import socket
from datetime import datetime, timedelta
from typing import Any

import structlog

from loopy.agents.harness import HarnessError
from loopy.agents.installed import Runtimes
from loopy.agents.readiness import plain_processes, used_sandboxes
from loopy.bus.client import Bus, BusError
from loopy.bus.codec import record_message
from loopy.bus.facts import read_fact, readable_facts
from loopy.bus.journal import read_run
from loopy.bus.leases import Lease, Leases
from loopy.bus.messages import Ack, DeadLetter, Message, Outgoing, RetryAfter, Verdict, patience
from loopy.bus.plans import PlanStore
from loopy.bus.steering import Steering
from loopy.bus.streams import RUNS, executor_consumer
from loopy.bus.undecodable import Undecodable
from loopy.clock import Clock
from loopy.compiler.plan import Plan
from loopy.kit.current_plan import Take
from loopy.kit.metrics import ATTEMPTS, SLOTS, UNMEASURED, Metrics
from loopy.kit.service import Host
from loopy.kit.tracing import UNTRACED, Tracer
from loopy.runs.lateness import is_late
from loopy.runs.records import AttemptFailed, AttemptRequested, AttemptSucceeded
from loopy.sandboxes.installed import Providers, installed_providers
from loopy_services.executor import core
from loopy_services.executor.execution import Execution
from loopy_services.executor.holding import Holding, LeaseLost, Superseded
from loopy_services.executor.measures import count_attempt, slot_in_use, trace_attempt
from loopy_services.executor.sweeper import Sweeper

RELEASE_S = 1.0
STILL_LOOK_S = 2.0  # how soon a run that may go on is noticed to

_log = structlog.get_logger()


class Executor:
    """Turns each attempt that is delivered into one fact."""

    def __init__(
        self,
        name: str,
        bus: Bus,
        plans: PlanStore,
        execution: Execution,
        clock: Clock,
        lease_s: int,
        steering: Steering,
        metrics: Metrics = UNMEASURED,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._name = name
        self._bus = bus
        self._plans = plans
        self._execution = execution
        self._clock = clock
        self._steering = steering
        self._metrics = metrics
        self._tracer = tracer
        self._leases = Leases(bus, clock, name, lease_s)

    async def handle(self, message: Message) -> Verdict:
        """Execute the attempt of a message under its lease, unless another does or a fact says how it ended."""
        request = read_fact(self._bus.subjects, message)
        assert isinstance(request, AttemptRequested)  # no other fact belongs on the subjects that are consumed here
        if self._steering.is_cancelled(request.run):
            return Ack()
        if await self._is_held_back(request):
            return Ack() if await self._is_settled(request) else RetryAfter(STILL_LOOK_S, waits=True)
        lease = await self._leases.take(request.run, request.step, request.epoch, request.attempt)
        if lease is None:
            return RetryAfter(self._leases.seconds / 2, waits=True)
        try:
            return await self._under_lease(message, request, lease)
        except BaseException:
            await _release(lease)
            raise

    async def _is_held_back(self, request: AttemptRequested) -> bool:
        """Whether an attempt may not begin yet, because somebody had its run, its workflow or everything stand still.

        While everything does, this slot can do nothing else: so it waits here, and no message goes to and fro. Who does
        not hear of the server may not have heard of a pause, and looks into the journal.
        """
        control = self._steering.control
        if control.now.halted:
            await control.wait(STILL_LOOK_S)
        if self._steering.is_paused(request.run) or control.now.halts(request.workflow):
            return True
        state = None if self._steering.is_current else await read_run(self._bus, request.run)
        return state is not None and state.paused is not None

    async def _under_lease(self, message: Message, request: AttemptRequested, lease: Lease) -> Verdict:
        """Execute an attempt that nobody else executes now.

        Only one that somebody began can be settled already, or one of a run that was steered, as far as is known here,
        or that was long under way.
        """
        if not lease.is_first and await self._has_result(request):
            return Ack()
        may_be_settled = not lease.is_first or self._steering.is_steered(request.run)
        may_be_settled = may_be_settled or not self._steering.is_current or is_late(request.at, self._clock.now())
        if may_be_settled and await self._is_settled(request):
            return Ack()
        try:
            plan = await self._plans.get(request.plan)
        except Undecodable as error:
            return await self._give_up(request, lease, DeadLetter(error.reason, f"plan {request.plan}: {error.detail}"))
        if plan is None:
            missing = _without_plan(message, request)
            if isinstance(missing, DeadLetter):
                return await self._give_up(request, lease, missing)
            await _release(lease)
            return missing
        if not core.is_known(plan, request):
            unknown = f"plan {request.plan} has no step {request.workflow}/{request.step}"
            return await self._give_up(request, lease, DeadLetter("unknown_step", unknown))
        return await self._execute(plan, request, lease)

    async def _execute(self, plan: Plan, request: AttemptRequested, lease: Lease) -> Verdict:
        """Have the agent at work while the lease is held and the attempt is wanted, and record how it ended."""
        holding = Holding(lease, self._leases.seconds, lambda: self._is_settled(request))
        try:
            await holding.work(lambda: self._executed(plan, request, lease.revision), self._bus.publish_once)
        except LeaseLost:
            _about(request).warning("attempt.lost")
            self._metrics.add(ATTEMPTS, request.workflow, "abandoned", "lease_lost")
            return RetryAfter(self._leases.seconds, waits=True)
        except Superseded:
            _about(request).info("attempt.stopped")
            self._metrics.add(ATTEMPTS, request.workflow, "abandoned", "settled_elsewhere")
            return Ack()
        return Ack()

    async def _has_result(self, request: AttemptRequested) -> bool:
        """Whether who held the lease before stored a result; by the leader, since a replica may not know of it yet."""
        place = self._bus.subjects.result(request.run, request.step, request.epoch, request.attempt)
        return await self._bus.last_by_leader(RUNS, place) is not None

    async def _is_settled(self, request: AttemptRequested) -> bool:
        if self._steering.is_cancelled(request.run):
            return True
        facts = await self._bus.last_each(RUNS, core.settling_facts(self._bus.subjects, request))
        return any(core.settles(request, fact) for fact in readable_facts(self._bus.subjects, facts))

    async def _executed(self, plan: Plan, request: AttemptRequested, lease: int) -> Outgoing:
        """The fact of how the attempt ended, ready to be published."""
        log = _about(request)
        log.debug("attempt.started", workflow=request.workflow)
        taking, began = core.Taking(request, self._name, self._clock.now(), lease), self._clock.monotonic()
        try:
            with slot_in_use(self._metrics):
                answer = await self._execution.perform(plan, request, lease)
            fact = core.succeeded(taking, self._after(taking, began), answer)
            success = self._publishable(fact)
        except HarnessError as error:
            log.warning("attempt.failed", reason=error.reason, detail=core.shortened(error.detail))
            return self._failure(taking, self._after(taking, began), error)
        log.debug("attempt.succeeded")
        self._note(request, fact)
        return success

    async def _give_up(self, request: AttemptRequested, lease: Lease, why: DeadLetter) -> DeadLetter:
        """Record that an attempt which cannot be executed here or anywhere has failed, so that its run goes on."""
        taking = core.Taking(request, self._name, self._clock.now(), lease.revision)
        error = HarnessError(why.reason, why.detail, retryable=False)
        await self._bus.publish_once(self._failure(taking, taking.started_at, error))
        return why

    def _after(self, taking: core.Taking, began: float) -> datetime:
        """When an attempt ended. By what went by since it began, so that no clock that is set spends its budget."""
        return taking.started_at + timedelta(seconds=self._clock.monotonic() - began)

    def _failure(self, taking: core.Taking, at: datetime, error: HarnessError) -> Outgoing:
        """The fact of an attempt that failed, ready to be published."""
        fact = core.failed(taking, at, error)
        self._note(taking.request, fact)
        return self._message(fact)

    def _note(self, request: AttemptRequested, fact: AttemptSucceeded | AttemptFailed) -> None:
        """Count an attempt that has ended, and tell its span."""
        count_attempt(self._metrics, fact)
        trace_attempt(self._tracer, request, fact)

    def _message(self, fact: AttemptSucceeded | AttemptFailed) -> Outgoing:
        return record_message(self._bus.subjects, fact)

    def _publishable(self, fact: AttemptSucceeded) -> Outgoing:
        """The fact's message. HarnessError when it is larger than what may be stored."""
        message = self._message(fact)
        core.hold_size(len(message.payload), self._bus.largest_value, fact.usage)
        return message


def _about(request: AttemptRequested) -> Any:
    """The log, told which attempt it is about."""
    return _log.bind(run=request.run, step=request.step, attempt=request.attempt)


async def _release(lease: Lease) -> None:
    """Give a lease back; where that takes long, it runs out by itself."""
    with contextlib.suppress(TimeoutError, BusError):
        async with asyncio.timeout(RELEASE_S):
            await lease.release()


def _without_plan(message: Message, request: AttemptRequested) -> RetryAfter | DeadLetter:
    """Plans are stored before their runs begin, so a missing one is a matter of moments, or gone for good."""
    unknown = DeadLetter("unknown_plan", f"plan {request.plan} of run {request.run} is not on the bus")
    return patience(message.deliveries) or unknown


async def serve(host: Host) -> None:
    """Execute attempts of the settings' pool until told to stop, `slots` at once."""
    rehearse = host.settings.rehearse
    providers = Providers(host.project)
    execution = Execution(host.project, Runtimes(), providers, rehearse=rehearse)
    name = core.executor_name(socket.gethostname(), os.getpid(), secrets.token_hex(3))
    plans, steering = PlanStore(host.bus, host.plan), Steering(host.bus)
    await steering.load()
    executor = Executor(
        name, host.bus, plans, execution, host.clock, host.settings.lease_s, steering, host.metrics, host.tracer
    )
    host.metrics.add(SLOTS, by=host.settings.slots)
    if not rehearse:
        _prepare(host.plan, providers)
    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(steering.follow())]
        if not rehearse:
            beside.append(group.create_task(Sweeper(host.bus, providers).run()))
        host.current.prepared_by(lambda plan: _prepare_anew(plan, plans, None if rehearse else providers))
        host.ready()
        await host.bus.consume(
            executor_consumer(host.settings.pool),
            executor.handle,
            in_flight=host.settings.slots,
            stopping=host.stopping,
            grace_s=host.settings.grace_s,
        )
        for task in beside:
            task.cancel()


async def _prepare_anew(plan: Plan, plans: PlanStore, providers: Providers | None) -> Take:
    """Prepare for a new plan. Attempts of the old one are executed by that, until there are none any more."""
    if providers is not None:
        _prepare(plan, providers)
    return await plans.prepare(plan)


def _prepare(plan: Plan, providers: Providers) -> None:
    """Make the plan's providers, so that what they kept of earlier runs is found, and log which isolate nothing.

    It is a line for the log, not a warning: who starts `loopy run` is warned there, once.
    """
    for sandbox in used_sandboxes(plan):
        if sandbox.provider in installed_providers():
            providers.get(sandbox.provider)
    for warning in plain_processes(plan):
        _log.info("sandbox.plain", detail=warning)
