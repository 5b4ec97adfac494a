"""Messages and what they mean: events of ours, of strangers, and of those who mean harm."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from loopy.bus.cloudevents import event_message, read_event
from loopy.bus.codec import (
    Delivery,
    FailedDelivery,
    Firing,
    cron_firing_message,
    poll_firing_message,
    read_delivery,
    read_firing,
    read_plan,
    read_record,
    record_message,
)
from loopy.bus.control import ControlSet
from loopy.bus.dead import DeadMessage
from loopy.bus.deadletters import Settlement
from loopy.bus.messages import Message, Outgoing
from loopy.bus.subjects import Subjects
from loopy.bus.undecodable import Undecodable
from loopy.runs.records import AttemptRequested, Cause, Event, EventRouted, Record, RunEnded
from loopy_services.scheduler.marks import Seen

SUBJECTS = Subjects()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
EVENT = Event(
    id="e/1",
    type="Incident",
    source="/sensors/sentry",
    time=NOW,
    data={"title": "Ünter 100 %", "count": 3},
    cascade="c1",
    hops=2,
    cause=Cause("r1", "triage"),
    traceparent=TRACE,
)


def stored(message: Outgoing) -> Message:
    """The message as it comes back from a stream."""
    return Message("EVT", message.subject, message.payload, dict(message.headers), 7, NOW)


def from_stranger(
    payload: bytes = b"{}", headers: dict[str, str] | None = None, subject: str = "loopy.evt.Incident.42"
) -> Event:
    return read_event(SUBJECTS, Message("EVT", subject, payload, headers or {}, 7, NOW))


def test_an_event_is_json_that_a_person_can_read_with_its_attributes_as_headers() -> None:
    message = event_message(SUBJECTS, EVENT)
    assert message.subject == "loopy.evt.Incident.e=2f1"
    assert message.payload.decode() == '{"title":"Ünter 100 %","count":3}'
    assert message.headers == {
        "ce-specversion": "1.0",
        "ce-id": "e/1",
        "ce-type": "Incident",
        "ce-source": "/sensors/sentry",
        "ce-time": "2026-11-22T12:00:00+00:00",
        "ce-datacontenttype": "application/json",
        "ce-cascade": "c1",
        "ce-hops": "2",
        "ce-causerun": "r1",
        "ce-causestep": "triage",
        "traceparent": TRACE,
    }
    assert read_event(SUBJECTS, stored(message)) == EVENT


def test_header_values_are_percent_encoded_as_cloudevents_wants() -> None:
    event = Event(id="1", type="A", source='Euro € "q" 100% \U0001f600\r\nx: y', time=NOW, data={}, cascade="1")
    message = event_message(SUBJECTS, event)
    assert message.headers["ce-source"] == "Euro%20%E2%82%AC%20%22q%22%20100%25%20%F0%9F%98%80%0D%0Ax:%20y"
    assert read_event(SUBJECTS, stored(message)) == event


def test_a_stranger_may_leave_out_every_header() -> None:
    assert from_stranger(b'{"title":"x"}', subject="loopy.evt.Git.Push.id-1") == Event(
        id="id-1",
        type="Git.Push",
        source="loopy.evt.Git.Push.id-1",
        time=NOW,
        data={"title": "x"},
        cascade="id-1",
    )


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"ce-hops": "x"}, "ce-hops must be a whole number"),
        ({"ce-hops": "-1"}, "ce-hops must be a whole number"),
        ({"ce-hops": "1e3"}, "ce-hops must be a whole number"),
        ({"ce-hops": "٣"}, "ce-hops must be a whole number"),
        ({"ce-hops": "9" * 5_000}, "ce-hops must be a whole number"),
        ({"ce-cascade": "another"}, "ce-hops must be at least 1 in an event whose ce-cascade names another"),
        ({"ce-time": "yesterday"}, "ce-time must be a time as in RFC 3339"),
        ({"ce-time": "2026-11-22T12:00:00"}, "ce-time must have a time zone"),
        ({"ce-time": "2026-13-22T12:00:00Z"}, "ce-time must be a time"),
        ({"ce-id": "43"}, "ce-id must be the subject's last token, '42'"),
        ({"ce-type": "WorkItem"}, "ce-type must be 'Incident', as the subject says"),
        ({"ce-source": "100%"}, "ce-source is not percent-encoded"),
        ({"ce-source": "%FF"}, "ce-source is not percent-encoded"),
        ({"ce-specversion": "0.3"}, "ce-specversion must be 1.0"),
        ({"ce-datacontenttype": "text/xml"}, "ce-datacontenttype must be application/json"),
        ({"ce-causerun": "r"}, "ce-causerun and ce-causestep must be given together"),
        ({"Content-Type": "application/cloudevents+json"}, "structured mode is not understood"),
    ],
)
def test_a_header_that_claims_what_cannot_be_makes_an_event_undecodable(headers: dict[str, str], says: str) -> None:
    with pytest.raises(Undecodable, match=says) as caught:
        from_stranger(headers=headers)
    assert caught.value.reason == "bad_header"


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"[]", b"1", b"null", b'{"a":1', b'{"a":NaN}', b'{"a":"\\ud800"}', b'{"a":' * 100_000]
)
def test_a_payload_that_is_no_json_object_makes_an_event_undecodable(payload: bytes) -> None:
    with pytest.raises(Undecodable) as caught:
        from_stranger(payload)
    assert caught.value.reason == "bad_payload"


def test_a_malformed_trace_context_is_ignored() -> None:
    assert from_stranger(headers={"traceparent": "nonsense"}).traceparent is None
    assert from_stranger(headers={"traceparent": TRACE}).traceparent == TRACE


@pytest.mark.parametrize("media", ["application/json; charset=utf-8", "application/vnd.github+json"])
def test_json_by_another_name_is_json(media: str) -> None:
    assert from_stranger(headers={"ce-datacontenttype": media}).data == {}


def test_a_record_goes_where_its_ids_say_and_carries_the_trace_of_its_event() -> None:
    request = AttemptRequested("r1", "resolve", "fix", 2, "p", EVENT, {"a": None}, 60.0, NOW)
    message = record_message(SUBJECTS, request, pool="gpu")
    assert message.subject == "loopy.attempt.gpu.r1.fix.0.2"
    assert message.headers == {"traceparent": TRACE}
    assert read_record(stored(message)) == request
    routed = record_message(SUBJECTS, EventRouted("e/1", "Incident", "c1", "p", NOW))
    assert routed.subject == "loopy.run.routed.c1.e=2f1"
    assert record_message(SUBJECTS, RunEnded("r1", "resolve", "failed", NOW)).subject == "loopy.run.end.r1._._"


def test_a_firing_names_its_schedule_and_its_second() -> None:
    firing = Firing("nightly", datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), NOW)
    message = cron_firing_message(SUBJECTS, firing)
    assert message.subject == "loopy.firing.cron.nightly.1767225600"
    assert poll_firing_message(SUBJECTS, firing).subject == "loopy.firing.poll.nightly.1767225600"
    assert read_firing(stored(message)) == firing


def test_a_firing_without_a_time_zone_is_undecodable() -> None:
    payload = b'{"schedule":"a","scheduled_at":"2026-01-01T00:00:00","last_run":null}'
    with pytest.raises(Undecodable, match="timezone"):
        read_firing(Message("EVT", "loopy.firing.cron.a.1", payload, {}, 1, NOW))


@pytest.mark.parametrize("read", [read_record, read_firing, read_plan, read_delivery])
@pytest.mark.parametrize("payload", [b"", b"[]", b'{"record":"Unheard"}', b"\xff", b"[" * 100_000])
def test_what_is_not_what_it_should_be_is_undecodable(read: type, payload: bytes) -> None:
    with pytest.raises(Undecodable):
        read(Message("RUN", "loopy.run.start.r._", payload, {}, 1, NOW))


@pytest.mark.parametrize("kind", [Record, Firing, Delivery, FailedDelivery, DeadMessage, Settlement, ControlSet, Seen])
def test_no_time_on_the_bus_is_without_a_zone(kind: Any) -> None:
    shapes = re.findall(r"DateTimeType\([^)]*\)", repr(msgspec.inspect.type_info(kind)))
    assert shapes
    assert set(shapes) == {"DateTimeType(tz=True)"}
