"""What Loopy says on the bus, as messages, and back. Payloads are JSON that a person can read.

Reading raises `Undecodable` and nothing else, whatever a stranger may have published.
"""

from collections.abc import Callable
from datetime import UTC
from typing import assert_never

import msgspec

from loopy.bus.claims import CLAIM_HEADER
from loopy.bus.cloudevents import escape
from loopy.bus.jsonheader import json_header, read_json_header
from loopy.bus.messages import Message, Outgoing
from loopy.bus.subjects import Subjects
from loopy.bus.undecodable import Undecodable, decoder
from loopy.compiler.plan import Plan, encode_plan, plan_hash
from loopy.runs.records import (
    AttemptFailed,
    AttemptRequested,
    AttemptSucceeded,
    EventRouted,
    Instant,
    Record,
    RunAdmitted,
    RunCancelled,
    RunEnded,
    RunFailed,
    RunPaused,
    RunResumed,
    RunStarted,
    StepSkipped,
)


class Firing(msgspec.Struct, frozen=True):
    """A due schedule or poll. `schedule` is the workflow or sensor; `last_run` what its event will say of the last."""

    schedule: str
    scheduled_at: Instant
    last_run: Instant | None


class Delivery(msgspec.Struct, frozen=True):
    """A webhook delivery as it came: `path` without the query, header names in lower case, `body` untouched."""

    sensor: str
    id: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: Instant


class FailedDelivery(msgspec.Struct, frozen=True):
    """A delivery that its sensor could not map: `error` in one line, `trace` for the author of the sensor."""

    sensor: str
    id: str
    error: str
    trace: str
    at: Instant


class _DeliveryHead(msgspec.Struct):
    """All of a delivery but its body, as it stands in the header `Loopy-Delivery`."""

    sensor: str
    id: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    at: Instant


DELIVERY_HEADER = "Loopy-Delivery"

_decode_record: Callable[[bytes], Record] = decoder(Record, "bad_record")
_decode_firing: Callable[[bytes], Firing] = decoder(Firing, "bad_firing")
_decode_head: Callable[[bytes], _DeliveryHead] = decoder(_DeliveryHead, "bad_delivery")
_decode_failed: Callable[[bytes], FailedDelivery] = decoder(FailedDelivery, "bad_delivery")
_decode_plan: Callable[[bytes], Plan] = decoder(Plan, "bad_plan")


def record_message(subjects: Subjects, record: Record, *, pool: str = "default") -> Outgoing:
    """A run's fact, on the subject that follows from its ids; `pool` is for AttemptRequested."""
    headers: dict[str, str] = {}
    match record:
        case RunStarted(event=event) | AttemptRequested(event=event) if event.traceparent is not None:
            headers["traceparent"] = escape(event.traceparent)
        case _:
            pass
    return Outgoing(record_subject(subjects, record, pool), msgspec.json.encode(record), headers)


def record_subject(subjects: Subjects, record: Record, pool: str) -> str:
    """Where a record is stored: one place for each thing that can be said once."""
    match record:
        case EventRouted():
            return subjects.routed(record.cascade, record.event)
        case RunStarted():
            return subjects.start(record.run)
        case AttemptRequested():
            return subjects.attempt(pool, record.run, record.step, record.epoch, record.attempt)
        case AttemptSucceeded() | AttemptFailed():
            return subjects.result(record.run, record.step, record.epoch, record.attempt)
        case StepSkipped():
            return subjects.skip(record.run, record.step, record.epoch)
        case RunAdmitted():
            return subjects.admit(record.run, record.epoch)
        case RunPaused():
            return subjects.pause(record.run, record.epoch)
        case RunResumed():
            return subjects.resume(record.run, record.epoch)
        case RunCancelled():
            return subjects.cancel(record.run)
        case RunFailed():
            return subjects.failed(record.run, record.epoch)
        case RunEnded():
            return subjects.end(record.run)
    assert_never(record)


def read_record(message: Message) -> Record:
    """The fact of a message. Undecodable."""
    return _decode_record(message.payload)


def cron_firing_message(subjects: Subjects, firing: Firing) -> Outgoing:
    """A schedule is due; replicas that say so at once say the same."""
    return Outgoing(subjects.cron_firing(firing.schedule, _unix(firing)), msgspec.json.encode(firing))


def poll_firing_message(subjects: Subjects, firing: Firing) -> Outgoing:
    """A poll is due."""
    return Outgoing(subjects.poll_firing(firing.schedule, _unix(firing)), msgspec.json.encode(firing))


def firing_done_message(subjects: Subjects, firing: Firing) -> Outgoing:
    """The mark that a schedule's firing led to a run that succeeded."""
    return Outgoing(subjects.firing_done(firing.schedule, _unix(firing)), msgspec.json.encode(firing))


def poll_done_message(subjects: Subjects, firing: Firing) -> Outgoing:
    """The mark that a poll's firing led to events that are on the bus, perhaps none."""
    return Outgoing(subjects.poll_done(firing.schedule, _unix(firing)), msgspec.json.encode(firing))


def read_firing(message: Message) -> Firing:
    """The firing of a message. Undecodable."""
    return _decode_firing(message.payload)


def delivery_message(subjects: Subjects, delivery: Delivery) -> Outgoing:
    """A raw delivery: the payload is its body, byte for byte, and a header has the rest as JSON."""
    head = _DeliveryHead(
        delivery.sensor, delivery.id, delivery.path, delivery.query, delivery.headers, delivery.at.astimezone(UTC)
    )
    place = subjects.delivery(delivery.sensor, delivery.id)
    return Outgoing(place, delivery.body, {DELIVERY_HEADER: json_header(head)})


def read_delivery(message: Message) -> Delivery:
    """The delivery of a message. Undecodable."""
    if CLAIM_HEADER in message.headers:  # any bytes are a body, also the placeholder of one that is lost
        raise Undecodable("lost_blob", "the body lay in a blob, which is lost")
    head = read_json_header(message, DELIVERY_HEADER, _decode_head, "bad_delivery")
    return Delivery(head.sensor, head.id, head.path, head.query, head.headers, message.payload, head.at)


def failed_delivery_message(subjects: Subjects, failed: FailedDelivery) -> Outgoing:
    """The error of a delivery."""
    return Outgoing(subjects.failed_delivery(failed.sensor, failed.id), msgspec.json.encode(failed))


def read_failed_delivery(message: Message) -> FailedDelivery:
    """The error of a delivery. Undecodable."""
    return _decode_failed(message.payload)


def plan_message(subjects: Subjects, plan: Plan) -> Outgoing:
    """A compiled project, on the subject of its hash."""
    return Outgoing(subjects.plan(plan_hash(plan)), encode_plan(plan))


def read_plan(message: Message) -> Plan:
    """The plan of a message. Undecodable, when a newer Loopy made it, say."""
    return _decode_plan(message.payload)


def _unix(firing: Firing) -> int:
    return int(firing.scheduled_at.timestamp())
