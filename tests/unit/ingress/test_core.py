"""What is kept of a request, which delivery it is, and what a sensor's answer amounts to."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopy import events
from loopy.compiler.plan import Sensor, WebhookSource
from loopy.runs.records import Event
from loopy.types.check import Checker, checker_of
from loopy_services.ingress import core

FIELDS = {"Incident": {"title": "str", "at": "datetime?"}, "Noted": {"text": "str"}, "Other": {"text": "str"}}
SENSOR = Sensor("watch", "sensors/s.py", WebhookSource("/hooks/x"), ("Incident", "Noted"))
ORIGIN = core.Origin("d-1", datetime(2026, 3, 1, tzinfo=UTC), "00-trace")
AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def bound() -> Iterator[None]:
    events.bind(FIELDS)
    yield
    events.bind({})


def events_of(*answer: Any) -> list[Event]:
    checkers: dict[str, Checker] = {name: checker_of(fields) for name, fields in FIELDS.items()}
    return core.events_of(SENSOR, checkers, answer, ORIGIN)


def test_ids_follow_from_sensor_delivery_type_and_place() -> None:
    made = events_of(events.Noted(text="a"), events.Incident(title="b"), events.Noted(text="c"))
    again = events_of(events.Noted(text="a"), events.Incident(title="b"), events.Noted(text="c"))
    assert made == again
    assert len({event.id for event in made}) == 3
    assert all(event.cascade == event.id and event.traceparent == "00-trace" for event in made)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (["text"], "it gave a str, not an event"),
        ([None], "it gave a NoneType"),
        ([{"title": "x"}], "it gave a dict"),
        ([1] * 1001, "more than 1000 events"),
    ],
)
def test_what_is_no_event_is_told(answer: Sequence[Any], told: str) -> None:
    with pytest.raises(core.SensorMistake, match=told):
        events_of(*answer)


def test_an_event_that_is_not_the_sensors_to_emit_is_told() -> None:
    with pytest.raises(core.SensorMistake, match="it gave an Other, but says emits=Incident, Noted"):
        events_of(events.Noted(text="fine"), events.Other(text="x"))


def test_an_event_that_was_changed_after_it_was_made_is_checked_again() -> None:
    noted = events.Noted(text="x")
    noted.event_data["text"] = 7
    with pytest.raises(core.SensorMistake, match="Noted does not fit: text"):
        events_of(noted)


def test_without_an_id_path_query_and_body_decide() -> None:
    ids = {
        core.delivery_id("", "/a", b"", b"body"),
        core.delivery_id("", "/b", b"", b"body"),
        core.delivery_id("", "/a", b"q=1", b"body"),
        core.delivery_id("", "/a", b"", b"other"),
    }
    assert len(ids) == 4
    assert core.delivery_id("", "/a", b"", b"body") in ids


@given(st.text(max_size=300))
def test_every_id_is_short_printable_and_no_two_meet_easily(given_id: str) -> None:
    found = core.delivery_id(given_id, "/a", b"", b"")
    assert 0 < len(found) <= 128
    assert found.isascii()
    assert found.isprintable()
    assert core.delivery_id(given_id + "x", "/a", b"", b"") != found


def test_credentials_and_signatures_are_left_out() -> None:
    headers = {"cookie": "a", "x-slack-signature": "b", "x-gitlab-token": "c", "user-agent": "d", "x-api-key": "e"}
    assert core.kept(headers) == {"user-agent": "d"}


def test_headers_that_are_there_twice_are_joined() -> None:
    assert core.headers_of([(b"A", b"1"), (b"a", b"2"), (b"b", b"\xe4")]) == {"a": "1, 2", "b": "ä"}


@pytest.mark.parametrize(
    "trace",
    [
        None,
        "",
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "x",
    ],
)
def test_a_trace_that_is_none_is_begun(trace: str | None) -> None:
    assert core.traceparent_of(trace, trace_id="a" * 32, span_id="b" * 16) == f"00-{'a' * 32}-{'b' * 16}-01"
