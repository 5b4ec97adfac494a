"""Ingress decides: what of a request is kept, which delivery it is, and what a sensor's answer amounts to. Pure."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from loopy.bus.codec import Delivery
from loopy.bus.messages import Outgoing
from loopy.bus.sizes import room_for
from loopy.compiler.plan import Sensor
from loopy.diagnostics.suggest import article
from loopy.events import TypedEvent
from loopy.runs import ids
from loopy.runs.records import Event
from loopy.types.check import Checker, Mismatch

MAX_ID = 128
MAX_EVENTS = 1000
ID_HEADERS = ("x-github-delivery", "request-id", "linear-delivery", "webhook-id", "x-webhook-id", "svix-id")
_SECRET_HEADER = re.compile(r"authorization|cookie|signature|secret|token|password|api-?key")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class SensorMistake(Exception):
    """A sensor answered with something that is no event of its own; the text is for its author."""


class Origin(msgspec.Struct, frozen=True):
    """What a sensor's events come from: the id of the delivery or of the firing, when it was, and its trace."""

    id: str
    at: datetime
    traceparent: str | None = None


def headers_of(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """A request's headers by lower-case name; what is there more than once is joined by commas."""
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def query_of(raw: bytes) -> dict[str, str]:
    """A request's query; of a name that is there more than once, the last value."""
    return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True))


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that may be stored: no credentials, no signatures."""
    return {name: value for name, value in headers.items() if not _SECRET_HEADER.search(name)}


def sender_id(headers: Mapping[str, str]) -> str:
    """The delivery's id that an unknown sender gives in one of the usual headers, or ""."""
    return next((headers[name] for name in ID_HEADERS if headers.get(name)), "")


def delivery_id(given: str, path: str, query: bytes, body: bytes) -> str:
    """The id of a delivery: the sender's, or else a digest of what was sent.

    So the same bytes sent to the same place without an id are the same delivery, for as long as the first is kept. An
    id of the sender that is too long, or more than printable ASCII, is replaced by its digest.
    """
    if given and len(given) <= MAX_ID and given.isascii() and given.isprintable():
        return given
    if given:
        return ids.derive("delivery-id", given)
    return ids.derive("delivery", path, query.decode("latin-1"), hashlib.sha256(body).hexdigest())


def traceparent_of(given: str | None, *, trace_id: str, span_id: str) -> str:
    """The W3C trace context that came with a request, or a new one of these ids (32 and 16 hexadecimal digits)."""
    if given is not None and _TRACEPARENT.fullmatch(given):
        return given
    return f"00-{trace_id}-{span_id}-01"


def delivery_of(
    sensor: str, *, given_id: str, path: str, query: bytes, headers: Mapping[str, str], body: bytes, at: datetime
) -> Delivery:
    """What is stored of a request."""
    return Delivery(
        sensor=sensor,
        id=delivery_id(given_id, path, query, body),
        path=path,
        query=query_of(query),
        headers=kept(headers),
        body=body,
        at=at,
    )


def events_of(sensor: Sensor, checkers: Mapping[str, Checker], answer: Sequence[Any], origin: Origin) -> list[Event]:
    """The events that a sensor's answer amounts to, all of them or SensorMistake. Their ids follow from the origin."""
    if len(answer) > MAX_EVENTS:
        raise SensorMistake(f"it gave more than {MAX_EVENTS} events for one delivery")
    counts: Counter[str] = Counter()
    events: list[Event] = []
    for given in answer:
        kind, data = _typed(sensor, checkers, given)
        event_id = ids.sensed_id(sensor.name, origin.id, kind, counts[kind])
        counts[kind] += 1
        events.append(
            Event(
                id=event_id,
                type=kind,
                source=ids.sensor_source(sensor.name),
                time=origin.at,
                data=data,
                cascade=event_id,
                traceparent=origin.traceparent,
            )
        )
    return events


def hold_size(events: Sequence[Outgoing], largest_value: int) -> None:
    """SensorMistake when one of the events is larger than what may be stored."""
    most = room_for(largest_value)
    for event in events:
        if len(event.payload) > most:
            allowed = f"it may have {most:,} (LOOPY_LARGEST_VALUE_BYTES)"
            raise SensorMistake(f"it gave an event of {len(event.payload):,} bytes; {allowed}")


def _typed(sensor: Sensor, checkers: Mapping[str, Checker], given: Any) -> tuple[str, dict[str, Any]]:
    """The type and the checked data of one event that a sensor gave."""
    if not isinstance(given, TypedEvent):
        what = type(given).__name__
        raise SensorMistake(f"it gave {article(what)} {what}, not an event of loopy.events")
    kind = given.event_type
    if kind not in sensor.emits:
        raise SensorMistake(f"it gave {article(kind)} {kind}, but says emits={', '.join(sensor.emits)}")
    try:
        return kind, checkers[kind].check(given.event_data)
    except Mismatch as mismatch:
        raise SensorMistake(f"{kind} does not fit: {mismatch}") from None
