"""Deliveries and due polls, given to their sensors; what these answer is published, what goes wrong is kept."""

from datetime import datetime
from functools import partial
from pathlib import Path

import structlog

from loopy.authoring import Request, Tick
from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message, read_event
from loopy.bus.codec import (
    Delivery,
    FailedDelivery,
    failed_delivery_message,
    poll_done_message,
    read_delivery,
    read_firing,
)
from loopy.bus.messages import Ack, Message, Outgoing, RetryAfter, Verdict, patience
from loopy.bus.places import publish_in_place
from loopy.bus.streams import EVENTS
from loopy.clock import Clock
from loopy.compiler.plan import Plan
from loopy.kit.metrics import SENSED, UNMEASURED, Metrics
from loopy.kit.tracing import UNTRACED, Tracer
from loopy.runs.trace import sense_span
from loopy.types.check import checker_of
from loopy_services.ingress import core
from loopy_services.ingress.calls import Caller
from loopy_services.ingress.sensors import LoadedSensor, error_text, user_trace

POLL_TRIES = 3
POLL_RETRY_S = 5.0

_log = structlog.get_logger()


class Sensing:
    """What the consumers of deliveries and of polls call for each message; they set aside what is Undecodable."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        project: Path,
        plan: Plan,
        sensors: dict[str, LoadedSensor],
        caller: Caller,
        metrics: Metrics = UNMEASURED,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._bus = bus
        self._metrics = metrics
        self._tracer = tracer
        self._clock = clock
        self._project = project
        self._caller = caller
        self.take(plan, sensors)

    def take(self, plan: Plan, sensors: dict[str, LoadedSensor]) -> None:
        """Call these sensors of this plan from now on; a call under way ends as it began."""
        self._sensors = sensors
        self._checkers = {name: checker_of(fields) for name, fields in plan.events.items()}

    async def on_delivery(self, message: Message) -> Verdict:
        """A stored delivery becomes events, or a failed delivery with the reason."""
        delivery = read_delivery(message)
        origin = core.Origin(delivery.id, delivery.at, delivery.headers.get("traceparent"))
        return await self._sense(message, delivery.sensor, _request(delivery), origin, tries=1)

    async def on_poll(self, message: Message) -> Verdict:
        """A due poll becomes events. What fails is tried a few times more, then kept like a failed delivery."""
        firing = read_firing(message)
        origin = core.Origin(f"poll-{int(firing.scheduled_at.timestamp())}", firing.scheduled_at)
        tick = Tick(scheduled_at=firing.scheduled_at, last_run=firing.last_run)
        mark = poll_done_message(self._bus.subjects, firing)
        return await self._sense(message, firing.schedule, tick, origin, tries=POLL_TRIES, mark=mark)

    async def _sense(
        self,
        message: Message,
        name: str,
        argument: Request | Tick,
        origin: core.Origin,
        *,
        tries: int,
        mark: Outgoing | None = None,
    ) -> Verdict:
        """Give a sensor its argument and publish what it answers, then `mark`."""
        structlog.contextvars.bind_contextvars(sensor=name, delivery=origin.id)
        sensor, began = self._sensors.get(name), self._clock.now()
        if sensor is None:
            return await self._unknown(message, name, origin)
        try:
            events = await self._events(sensor, argument, origin)
        except Exception as error:  # noqa: BLE001 (an author's code may raise anything; it is kept)
            if message.deliveries < tries:
                _log.warning("sensor.failed", error=error_text(error), again=True)
                return RetryAfter(POLL_RETRY_S)
            self._trace(name, origin, began, failed=error_text(error))
            return await self._keep(name, origin, error_text(error), user_trace(error, self._project))
        for event in events:
            await publish_in_place(self._bus, EVENTS, event, partial(read_event, self._bus.subjects))
        if mark is not None:
            await self._bus.publish_once(mark)
        self._metrics.add(SENSED, name, "mapped")
        self._trace(name, origin, began)
        _log.info("delivery.mapped", events=[event.headers["ce-type"] for event in events])
        return Ack()

    def _trace(self, name: str, origin: core.Origin, began: datetime, failed: str = "") -> None:
        """Tell the span of a sensor's call, below the request that it was for."""
        span = sense_span(name, origin.id, origin.traceparent)
        if span is not None:
            self._tracer.tell(f"sense {name}", span, began, self._clock.now(), failed=failed, delivery=origin.id)

    async def _events(self, sensor: LoadedSensor, argument: Request | Tick, origin: core.Origin) -> list[Outgoing]:
        """The messages of the events that a sensor gives; none of them is larger than what may be stored."""
        declared = sensor.declared
        checkers = self._checkers
        answer = await self._caller.call(sensor.function, argument, timeout_s=declared.timeout_s)
        events = core.events_of(declared, checkers, answer, origin)
        messages = [event_message(self._bus.subjects, event) for event in events]
        core.hold_size(messages, self._bus.largest_value)
        return messages

    async def _unknown(self, message: Message, name: str, origin: core.Origin) -> Verdict:
        """Leave it to a replica that has the plan in which this sensor is; keep it when there is none."""
        wait = patience(message.deliveries)
        if wait is not None:
            return wait
        return await self._keep(name, origin, f"this project has no sensor {name!r}", "")

    async def _keep(self, name: str, origin: core.Origin, error: str, trace: str) -> Verdict:
        """Store why there are no events of this, for `loopy deliveries --failed`."""
        failed = FailedDelivery(sensor=name, id=origin.id, error=error, trace=trace, at=self._clock.now())
        await self._bus.publish_once(failed_delivery_message(self._bus.subjects, failed))
        self._metrics.add(SENSED, name, "failed")
        _log.error("sensor.failed", error=error, again=False)
        return Ack()


def _request(delivery: Delivery) -> Request:
    """A delivery as its sensor sees it."""
    return Request(body=delivery.body, headers=delivery.headers, query=delivery.query, path=delivery.path)
