"""The webhooks' HTTP: read within bounds, verify, store, answer. A delivery is accepted once the stream has it."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import structlog
from litestar import Request, Response, post
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from loopy.bus.client import Bus, BusError, MessageTooLarge, StreamFull
from loopy.bus.codec import Delivery, delivery_message
from loopy.bus.messages import Stored
from loopy.clock import Clock
from loopy.compiler.plan import Plan, WebhookSource
from loopy.kit.api import api
from loopy.kit.errors import CannotStart
from loopy.kit.metrics import DELIVERIES, UNMEASURED, WEBHOOK_SECONDS, Metrics
from loopy.kit.operations import PATHS
from loopy.kit.problems import Problem, Receive, Scope, Send
from loopy.kit.secret import Secret
from loopy.kit.tracing import UNTRACED, Tracer
from loopy.runs.trace import request_span
from loopy_services.ingress import core, signatures

READ_S = 30.0  # for a whole body: one that trickles in is given up
STORE_S = 5.0  # then the sender is told to come again
RETRY_AFTER = {"Retry-After": "5"}
RETRY_WHEN_DRAINED = {"Retry-After": "60"}
_REFUSALS = {400: "broken_off", 401: "refused", 408: "broken_off", 413: "too_large", 503: "unavailable"}
API = "/api"

_log = structlog.get_logger(service="ingress")

AnyRequest: TypeAlias = Request[Any, Any, Any]


class Door(msgspec.Struct, frozen=True):
    """One webhook: its sensor and path, and how its senders are known (no `verify`: they are not)."""

    sensor: str
    path: str
    verify: str | None = None
    secrets: tuple[Secret, ...] = ()

    @property
    def source(self) -> signatures.Source | None:
        """How this webhook's sender signs."""
        return signatures.SOURCES[self.verify] if self.verify else None


def doors_of(plan: Plan, environment: Mapping[str, str]) -> list[Door]:
    """The plan's webhooks. Raises CannotStart for one that could not be served as it is written."""
    doors = []
    for sensor in plan.sensors.values():
        if not isinstance(sensor.source, WebhookSource):
            continue
        path, verify = sensor.source.path, sensor.source.verify
        if path == API or path.startswith(f"{API}/"):
            raise CannotStart(f"sensor {sensor.name}: {path} is the console's; choose a path outside {API}")
        if path in PATHS:
            raise CannotStart(f"sensor {sensor.name}: {path} is for operators; choose another path")
        if verify is not None and verify not in signatures.SOURCES:
            known = ", ".join(signatures.SOURCES)
            raise CannotStart(f"sensor {sensor.name}: verify={verify!r} is not known; there are {known}")
        doors.append(Door(sensor.name, path, verify, _secrets(verify, environment)))
    return doors


def _secrets(verify: str | None, environment: Mapping[str, str]) -> tuple[Secret, ...]:
    listed = environment.get(signatures.secret_variable(verify), "") if verify else ""
    return tuple(Secret(part.strip()) for part in listed.split(",") if part.strip())


class Webhooks:
    """Accepts deliveries at every door that is open: an ASGI application. Bodies are at most `max_body` bytes."""

    def __init__(
        self, bus: Bus, clock: Clock, max_body: int, metrics: Metrics = UNMEASURED, tracer: Tracer = UNTRACED
    ) -> None:
        self._bus = bus.hurried()
        self._clock = clock
        self._max_body = max_body
        self._metrics = metrics
        self._tracer = tracer
        self.open(())

    def open(self, doors: Sequence[Door]) -> None:
        """Open these doors and close the others. A request that is being read already is still accepted."""
        for door in doors:
            if door.verify and not door.secrets:
                _log.warning("webhook.secret_missing", sensor=door.sensor, path=door.path)
        self._app = api([self._route(door) for door in doors], max_body=self._max_body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)  # type: ignore[arg-type]  # Litestar has names of its own for these

    def _route(self, door: Door) -> HTTPRouteHandler:
        async def accept(request: AnyRequest) -> Response[dict[str, Any]]:
            begun = self._clock.monotonic()
            result = "failed"
            try:
                answer = await self._accept(door, request)
                result = _result_of(answer)
                return answer
            except (Problem, HTTPException) as refused:
                result = _REFUSALS.get(refused.status if isinstance(refused, Problem) else refused.status_code, result)
                raise
            finally:
                self._metrics.add(DELIVERIES, door.sensor, result)
                self._metrics.observe(WEBHOOK_SECONDS, self._clock.monotonic() - begun, door.sensor)

        return post(door.path, name=door.sensor)(accept)

    async def _accept(self, door: Door, request: AnyRequest) -> Response[dict[str, Any]]:
        if door.verify and not door.secrets:
            _log.error("webhook.secret_missing", sensor=door.sensor, variable=signatures.secret_variable(door.verify))
            raise Problem(503, "this webhook cannot be verified here yet: its secret is not set", headers=RETRY_AFTER)
        body = await _body(request)
        headers = core.headers_of(request.scope["headers"])
        self._verify(door, headers, body)
        challenge = signatures.challenge(door.verify, body) if door.verify else None
        if challenge is not None:
            return Response({"challenge": challenge}, status_code=200)
        delivery = self._delivery(door, request, headers, body)
        stored = await self._store(delivery)
        _log.info("delivery.accepted", sensor=door.sensor, delivery=delivery.id, bytes=len(body), first=stored.first)
        answer: dict[str, Any] = {"delivery": delivery.id}
        if stored.first:
            self._trace(delivery, headers.get("traceparent"))
        else:
            answer["duplicate"] = True
        return Response(answer, status_code=door.source.answer if door.source else 202)

    def _verify(self, door: Door, headers: Mapping[str, str], body: bytes) -> None:
        """Raises Problem 401 unless the delivery's sender is known, or nobody asked who it is."""
        if door.source is None:
            return
        revealed = [secret.reveal() for secret in door.secrets]
        refused = signatures.refusal(door.source, revealed, headers, body, self._clock.now())
        if refused is not None:
            _log.warning("delivery.refused", sensor=door.sensor, reason=refused)
            raise Problem(401, refused)

    def _delivery(self, door: Door, request: AnyRequest, headers: Mapping[str, str], body: bytes) -> Delivery:
        trace = core.traceparent_of(
            headers.get("traceparent"), trace_id=secrets.token_hex(16), span_id=secrets.token_hex(8)
        )
        return core.delivery_of(
            door.sensor,
            given_id=door.source.id_of(headers, body) if door.source else core.sender_id(headers),
            path=door.path,
            query=request.scope["query_string"],
            headers={**headers, "traceparent": trace},
            body=body,
            at=self._clock.now(),
        )

    def _trace(self, delivery: Delivery, given: str | None) -> None:
        """Tell the span of a request whose delivery is stored now."""
        span = request_span(delivery.sensor, delivery.id, given, delivery.headers["traceparent"])
        name, now = f"webhook {delivery.sensor}", self._clock.now()
        self._tracer.tell(name, span, delivery.at, now, sensor=delivery.sensor, delivery=delivery.id)

    async def _store(self, delivery: Delivery) -> Stored:
        """Store a delivery, first writer wins. Raises Problem 503 when that takes too long, so that senders retry."""
        try:
            async with asyncio.timeout(STORE_S):
                return await self._bus.publish_once(delivery_message(self._bus.subjects, delivery))
        except MessageTooLarge:
            raise Problem(413, "the body and its headers are larger than the bus takes") from None
        except StreamFull as full:
            _log.error("delivery.not_stored", sensor=delivery.sensor, delivery=delivery.id, error=str(full))
            raise Problem(
                503, "there is no room for deliveries just now; send it again later", headers=RETRY_WHEN_DRAINED
            ) from None
        except (TimeoutError, BusError) as error:
            _log.error("delivery.not_stored", sensor=delivery.sensor, delivery=delivery.id, error=str(error))
            raise Problem(503, "deliveries cannot be stored just now; send it again", headers=RETRY_AFTER) from None


def _result_of(answer: Response[dict[str, Any]]) -> str:
    """What became of a request that was answered as its sender wishes, in a word for the metrics."""
    if "challenge" in answer.content:
        return "challenge"
    return "duplicate" if "duplicate" in answer.content else "accepted"


async def _body(request: AnyRequest) -> bytes:
    """The whole body, no larger than the application allows."""
    try:
        async with asyncio.timeout(READ_S):
            return await request.body()
    except TimeoutError:
        raise Problem(408, f"the body did not arrive within {READ_S:g} s") from None
    except HTTPException as error:
        raise error if error.status_code < 500 else Problem(400, "the body broke off") from None
