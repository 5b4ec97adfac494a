"""Bringing about what was decided: each effect becomes a message, first writer wins."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import assert_never

import msgspec
import structlog

from loopy.bus.client import Bus, MessageTooLarge
from loopy.bus.codec import read_record, record_message
from loopy.bus.ending import store_end, store_end_unless_steered
from loopy.bus.facts import read_fact
from loopy.bus.messages import Message, Outgoing
from loopy.bus.places import Placed, publish_in_place, publish_record
from loopy.bus.plans import PlanStore
from loopy.bus.seal import Sealer
from loopy.bus.streams import ATTEMPTS, EVENTS, RUNS, TIMERS
from loopy.bus.undecodable import Undecodable
from loopy.clock import Clock
from loopy.kit.metrics import LIMIT_REFUSALS, RUNS_ENDED, UNMEASURED, Metrics
from loopy.kit.tracing import UNTRACED, Tracer
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
from loopy.runs.records import RunEnded, RunFailed, RunStarted
from loopy.runs.spending import Excess
from loopy.runs.trace import run_span
from loopy_services.dispatcher import core
from loopy_services.dispatcher.slots import Slots
from loopy_services.dispatcher.spending import Spending

STALE_READ_PAUSE_S = 0.02

log = structlog.get_logger()


class Performer:
    """Publishes what must exist in a run."""

    def __init__(
        self,
        bus: Bus,
        plans: PlanStore,
        sealer: Sealer,
        clock: Clock,
        metrics: Metrics = UNMEASURED,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self.slots = Slots(bus, plans, clock, metrics)
        self.spending = Spending(bus, plans)
        self._bus = bus
        self._sealer = sealer
        self._clock = clock
        self._metrics = metrics
        self._tracer = tracer

    async def perform(
        self, started: RunStarted, effects: Sequence[Effect], alone: frozenset[str] = frozenset()
    ) -> None:
        """Publish what must exist; what ends or fails the run after all else that the same fact calls for.

        Requests for the steps in `alone` are sealed: at their success no journal is read.
        """
        first = [effect for effect in effects if not isinstance(effect, EndRun | FailRun | ReleaseSlots)]
        if len(first) == 1:
            await self._bring_about(started, first[0], alone)
        elif first:
            await asyncio.gather(*(self._bring_about(started, effect, alone) for effect in first))
        for effect in effects:
            if isinstance(effect, EndRun | FailRun | ReleaseSlots):
                await self._bring_about(started, effect, alone)

    async def _bring_about(self, started: RunStarted, effect: Effect, alone: frozenset[str]) -> None:
        match effect:
            case RequestAttempt():
                await self._request(started, effect, alone)
            case SkipStep() | PublishEvent() | StartTimer():
                await self._publish(effect)
            case FailRun(failure=failure):
                await self._fail(started, failure)
            case EndRun(end=end):
                await self._end(started, end)
            case QueueRun():
                await self.slots.enter(effect.run, effect.workflow, effect.epoch, effect.slots)
            case ReleaseSlots():
                await self.slots.leave(effect.run, effect.epoch, effect.slots)
            case _:
                assert_never(effect)

    async def _publish(self, effect: SkipStep | PublishEvent | StartTimer) -> None:
        subjects = self._bus.subjects
        stream = {SkipStep: RUNS, PublishEvent: EVENTS, StartTimer: TIMERS}[type(effect)]
        message = core.message_of(subjects, effect)
        await publish_in_place(self._bus, stream, message, partial(core.understood, subjects, effect))

    async def _request(self, started: RunStarted, effect: RequestAttempt, alone: frozenset[str]) -> None:
        """Ask for an attempt. One whose inputs add up to more than a message can hold, or that a limit keeps from
        beginning, has failed instead."""
        subjects, attempt = self._bus.subjects, effect.attempt
        allowance = await self.spending.allowance(attempt)
        if isinstance(allowance, Excess):
            await self._withhold(effect, allowance)
            return
        if allowance != attempt.spend_usd:
            attempt = msgspec.structs.replace(attempt, spend_usd=allowance)
        if attempt.step in alone and core.may_be_carried(started, attempt):
            attempt = self._sealer.sealed(attempt)
        try:
            await publish_record(self._bus, attempt, pool=effect.pool)
        except MessageTooLarge as error:
            failure = core.unrequestable(attempt, str(error), self._clock.now())
            await self._bus.publish_once(record_message(subjects, failure))

    async def _withhold(self, effect: RequestAttempt, reached: Excess) -> None:
        """Record that an attempt may not begin; one that was asked for before the limit was reached goes on."""
        asked = record_message(self._bus.subjects, effect.attempt, pool=effect.pool)
        found = await self._bus.last(ATTEMPTS, asked.subject)
        if found is not None and self._is_fact(found):
            return
        failure = core.over_limit(effect.attempt, reached, self._clock.now())
        if (await self._bus.publish_once(record_message(self._bus.subjects, failure))).first:
            self._metrics.add(LIMIT_REFUSALS, reached.limit)

    async def _fail(self, started: RunStarted, failure: RunFailed) -> None:
        if (await publish_record(self._bus, failure)).first:
            self._metrics.add(RUNS_ENDED, failure.workflow, "failed")
            log.info("run.failed", run=failure.run, workflow=failure.workflow, step=failure.step, detail=failure.detail)
            self._trace(started, failure.at, failed=f"failed at {failure.step}")

    async def _end(self, started: RunStarted, ended: RunEnded) -> None:
        """Record how the run ended, and mark the firing that it came from, if one."""
        await self._note_end(started, ended, await store_end(self._bus, ended))

    async def end_unless_steered(self, started: RunStarted, ended: RunEnded) -> bool:
        """Record how a run ended if nothing was said of it as a whole before; whether that is so."""
        placed = await store_end_unless_steered(self._bus, ended)
        if placed is not None:
            await self._note_end(started, ended, placed)
        return placed is not None

    async def _note_end(self, started: RunStarted, ended: RunEnded, placed: Placed) -> None:
        if placed.first:
            self._metrics.add(RUNS_ENDED, ended.workflow, ended.outcome)
            log.info("run.ended", run=ended.run, workflow=ended.workflow, outcome=ended.outcome, detail=ended.detail)
            self._trace(started, ended.at, failed="" if ended.outcome in ("succeeded", "skipped") else ended.outcome)
        mark = core.firing_mark(self._bus.subjects, started, ended)
        if mark is not None and (placed.first or _has_outcome(placed, ended)):
            await self._mark(mark)

    def _trace(self, started: RunStarted, at: datetime, failed: str) -> None:
        """Tell the span of a run that is over."""
        span, name = run_span(started.run, started.event), f"run {started.workflow}"
        event, cascade = started.event.id, started.event.cascade
        self._tracer.tell(name, span, started.at, at, failed=failed, run=started.run, event=event, cascade=cascade)

    async def _mark(self, mark: Outgoing) -> None:
        """Set a firing's mark unless there is one of a later firing; a replica that lags overlooks none."""
        every = f"{mark.subject.rpartition('.')[0]}.*"
        while True:
            newest = await self._bus.last(EVENTS, every)
            if newest is not None and core.is_dealt_with(mark.subject, newest.subject, self._clock.now()):
                return
            sequence = newest.sequence if newest is not None else 0
            if await self._bus.publish_after(mark, scope=every, sequence=sequence) is not None:
                return
            await asyncio.sleep(STALE_READ_PAUSE_S)

    def _is_fact(self, message: Message) -> bool:
        try:
            read_fact(self._bus.subjects, message)
        except Undecodable:
            return False
        return True


def _has_outcome(placed: Placed, ended: RunEnded) -> bool:
    """Whether the end that stands has the same outcome: another may have been first."""
    stands = read_record(placed.stands) if placed.stands is not None else None
    return isinstance(stands, RunEnded) and stands.outcome == ended.outcome
