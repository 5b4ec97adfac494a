"""From events to runs: the consumer of events and of schedules' firings."""

from collections.abc import Callable
from contextlib import aclosing, suppress
from functools import partial

import msgspec
import structlog

from loopy.bus.client import Bus
from loopy.bus.cloudevents import read_event
from loopy.bus.codec import cron_firing_message, read_firing, record_message
from loopy.bus.control import Control
from loopy.bus.facts import read_fact
from loopy.bus.journal import routed_of
from loopy.bus.messages import Ack, DeadLetter, Message, RetryAfter, Verdict, patience
from loopy.bus.places import clear, publish_record
from loopy.bus.plans import PlanStore
from loopy.bus.streams import EVENTS, RUNS
from loopy.bus.undecodable import Undecodable
from loopy.bus.writing import was_first
from loopy.clock import Clock
from loopy.compiler.plan import Plan
from loopy.kit.metrics import EVENTS_ROUTED, LIMIT_REFUSALS, RUN_START_SECONDS, RUNS_STARTED, UNMEASURED, Metrics
from loopy.runs.ids import SENSORS
from loopy.runs.records import Event, EventRouted
from loopy.runs.route import Beginning, firing_event, nowhere, route, starts
from loopy_services.dispatcher.core import admit, admit_firing, oversize
from loopy_services.dispatcher.runs import RunDecider

CLOSED_LOOK_S = 2.0

log = structlog.get_logger()

Decision = Callable[[list[EventRouted]], EventRouted]


class EventRouter:
    """Routes each event once: records which runs it starts, then starts them."""

    def __init__(
        self,
        bus: Bus,
        plans: PlanStore,
        decider: RunDecider,
        clock: Clock,
        control: Control,
        metrics: Metrics = UNMEASURED,
    ) -> None:
        self._bus = bus
        self._control = control
        self._decider = decider
        self._plans = plans
        self._clock = clock
        self._metrics = metrics
        self._firings = bus.subjects.under("firing", "")

    async def on_event(self, message: Message) -> Verdict:
        """Consume one event or firing. Undecodable. While nothing is let in, all wait: their runs are one fact."""
        if self._control.now.closed:
            await self._control.wait(CLOSED_LOOK_S)
        if self._control.now.closed:
            return RetryAfter(CLOSED_LOOK_S, waits=True)
        plan, name = self._plans.own, self._plans.own_hash  # another may be taken while this event is routed
        event, refused = self._read(message, plan)
        if refused is not None:
            return await self._refuse(message, event, refused)
        if not was_first(message) and await self._is_second(message):
            second = "another message is stored on this subject: the first one stands"
            return DeadLetter("duplicate_event", second, foreign=True)
        routed, known = await self._record(event, lambda earlier: route(plan, name, event, earlier, self._clock.now()))
        if not known:
            self._metrics.add(EVENTS_ROUTED, event.type)
        routed_by = await self._plan_of(routed)
        wait = patience(message.deliveries) if routed_by is None else None
        if wait is not None:
            return wait
        for beginning in starts(routed_by, event, routed):
            verdict = await self._start(beginning, message)
            if not isinstance(verdict, Ack):
                return verdict
        self._tell(routed, known=known)
        return Ack()

    async def _start(self, beginning: Beginning, message: Message) -> Verdict:
        """Begin a run: its first fact, and what that calls for."""
        started = beginning.started
        if (await publish_record(self._bus, started)).first:
            self._metrics.add(RUNS_STARTED, started.workflow)
            waited_s = max(0.0, (self._clock.now() - message.time).total_seconds())
            self._metrics.observe(RUN_START_SECONDS, waited_s, started.workflow)
        if beginning.problem:
            await self._decider.abandon(started, beginning.problem)
            return Ack()
        return await self._decider.begin(message, started)

    async def _plan_of(self, routed: EventRouted) -> Plan | None:
        """The plan by which an event was routed: its runs begin as it says."""
        try:
            return await self._plans.get(routed.plan)
        except Undecodable:
            return None

    def _read(self, message: Message, plan: Plan) -> tuple[Event, DeadLetter | None]:
        """The event of a message, and why a plan does not let it in, if so."""
        if not self._is_firing(message):
            event = read_event(self._bus.subjects, message)
            return event, admit(plan, event) or oversize(event, self._bus.largest_value)
        firing = read_firing(message)
        if message.subject != (place := cron_firing_message(self._bus.subjects, firing).subject):
            raise Undecodable("misplaced", f"a firing like this one belongs on {place}")
        event = firing_event(firing.schedule, firing.scheduled_at, firing.last_run)
        return event, admit_firing(plan, firing.schedule)

    async def _refuse(self, message: Message, event: Event, refused: DeadLetter) -> Verdict:
        """Set an event aside; while a newer plan is being deployed that lets it in, leave it to who has that plan.

        One of ours is recorded as leading nowhere, so that nobody waits for it; a stranger's leaves no trace but its
        dead letter.
        """
        newest = await self._plans.newest()
        if newest is not None and self._read(message, newest)[1] is None:
            wait = patience(message.deliveries)
            if wait is not None:
                return wait
        if event.cause is not None or self._is_firing(message):
            await self._record(event, lambda earlier: nowhere(self._plans.own_hash, event, earlier, self._clock.now()))
        elif not event.source.startswith(SENSORS):
            return msgspec.structs.replace(refused, foreign=True)
        return refused

    def _is_firing(self, message: Message) -> bool:
        return message.subject.startswith(self._firings)

    async def _record(self, event: Event, decide: Decision) -> tuple[EventRouted, bool]:
        """The event's route, and whether it was recorded before.

        Compare-and-set on the whole cascade: whoever records a route has seen all others, so that limits hold. The
        first event of a cascade has none before it, and needs no read.
        """
        subjects = self._bus.subjects
        earlier, sequence = ([], 0) if event.cascade == event.id else await self._routed(event)
        while True:
            routed = decide(earlier)
            if routed in earlier:
                return routed, True
            scope = subjects.cascade(event.cascade)
            if await self._bus.publish_after(record_message(subjects, routed), scope=scope, sequence=sequence):
                return routed, False
            earlier, sequence = await self._routed(event)

    async def _routed(self, event: Event) -> tuple[list[EventRouted], int]:
        """What has been routed in an event's cascade, and the sequence of the newest of these facts (0: there is none).

        Nonsense in the place of this event's own route is out of the way then.
        """
        subjects = self._bus.subjects
        messages = await self._bus.last_each(RUNS, [subjects.cascade(event.cascade)])
        for message in messages:
            if message.subject == subjects.routed(event.cascade, event.id):
                await clear(self._bus, RUNS, message, partial(read_fact, subjects))
        return routed_of(subjects, messages), max((message.sequence for message in messages), default=0)

    async def _is_second(self, message: Message) -> bool:
        """Whether this is not the first message on its subject that is an event or firing, and a different one."""
        async with aclosing(self._bus.read(EVENTS, [message.subject])) as stored:
            async for first in stored:
                with suppress(Undecodable):
                    self._read(first, self._plans.own)
                    return first.sequence != message.sequence and first.payload != message.payload
        return False

    def _tell(self, routed: EventRouted, *, known: bool) -> None:
        runs = {run.workflow: run.run for run in routed.runs}
        log.info("event.routed", type=routed.type, event_id=routed.event, runs=runs)
        for refusal in routed.refused:
            if not known:
                self._metrics.add(LIMIT_REFUSALS, refusal.limit)
            log.warning("run.refused", event_id=routed.event, workflow=refusal.workflow, limit=refusal.limit)
