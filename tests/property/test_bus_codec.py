"""The codec against whatever may come: what we say is read back as it was; nothing makes it fall over."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopy.bus.cloudevents import escape, event_message, read_event, unescape
from loopy.bus.codec import (
    Delivery,
    FailedDelivery,
    delivery_message,
    failed_delivery_message,
    read_delivery,
    read_failed_delivery,
    read_firing,
    read_plan,
    read_record,
)
from loopy.bus.dead import DeadMessage, dead_message, read_dead
from loopy.bus.messages import Message, Outgoing
from loopy.bus.subjects import Subjects, token, untoken
from loopy.bus.undecodable import Undecodable
from loopy.runs.records import Cause, Event

SUBJECTS = Subjects()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
MAX_PAYLOAD = 8 << 20

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ids = texts.filter(bool)
names = st.from_regex(r"[A-Z][A-Za-z0-9]{0,8}(\.[A-Z][A-Za-z0-9]{0,8})?", fullmatch=True)
times = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  bounds are naive
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
data = st.dictionaries(texts, json_values, max_size=4)
headers = st.dictionaries(
    st.sampled_from(
        [
            "ce-id",
            "ce-type",
            "ce-source",
            "ce-time",
            "ce-hops",
            "ce-cascade",
            "ce-causerun",
            "ce-causestep",
            "ce-replayof",
            "ce-specversion",
            "ce-datacontenttype",
            "Content-Type",
            "traceparent",
            "Loopy-Delivery",
            "Loopy-Dead-Letter",
        ]
    ),
    st.text(max_size=30) | st.sampled_from(["1.0", "42", "Incident", "2026-11-22T00:00:00Z", "%41", "{}"]),
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any event that Loopy may publish: one in another's cascade has a hop behind it."""
    event_id, first = draw(ids), draw(st.booleans())
    cascade = event_id if first else draw(ids)
    return Event(
        id=event_id,
        type=draw(names),
        source=draw(ids),
        time=draw(times),
        data=draw(data),
        cascade=cascade,
        hops=draw(st.integers(0 if cascade == event_id else 1, 1_000)),
        cause=draw(st.none() | st.builds(Cause, ids, ids)),
        traceparent=draw(st.none() | st.from_regex(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", fullmatch=True)),
        replay_of=draw(st.none() | ids),
        replayed_by=draw(st.none() | ids),
        replayed_why=draw(st.none() | ids),
    )


def over_the_wire(message: Outgoing, stream: str = "EVT") -> Message:
    """What a client makes of the message: header values without the white space around them, on one line."""
    wire = {key: value.strip().translate({10: " ", 13: " "}) for key, value in message.headers.items()}
    return Message(stream, message.subject, message.payload, wire, 1, NOW)


@given(events())
def test_an_event_is_read_back_as_it_was(event: Event) -> None:
    assert read_event(SUBJECTS, over_the_wire(event_message(SUBJECTS, event))) == event


@given(st.builds(Delivery, names, ids, texts, st.dictionaries(texts, texts, max_size=3),
                 st.dictionaries(texts, texts, max_size=3), st.binary(max_size=50), times))  # fmt: skip
def test_a_delivery_is_read_back_as_it_was(delivery: Delivery) -> None:
    assert read_delivery(over_the_wire(delivery_message(SUBJECTS, delivery))) == delivery


@given(st.builds(FailedDelivery, names, ids, texts, texts, times))
def test_a_failed_delivery_is_read_back_as_it_was(failed: FailedDelivery) -> None:
    assert read_failed_delivery(over_the_wire(failed_delivery_message(SUBJECTS, failed))) == failed


@given(st.builds(DeadMessage, names, ids, st.integers(1, 2**60), names, texts, times,
                 st.dictionaries(texts, texts, max_size=3), st.binary(max_size=50), st.integers(1, 2**60), times,
                 st.just(value=False)))  # fmt: skip
def test_a_dead_letter_is_read_back_as_it_was(dead: DeadMessage) -> None:
    assert read_dead(over_the_wire(dead_message(SUBJECTS, dead, MAX_PAYLOAD))) == dead


@given(st.text(), headers, st.binary(max_size=60) | data.map(lambda value: str(value).encode()))
def test_nothing_that_a_stranger_sends_raises_anything_but_undecodable(
    rest: str, claimed: dict[str, str], payload: bytes
) -> None:
    message = Message("EVT", f"loopy.evt.{rest}", payload, claimed, 1, NOW)
    for read in (read_record, read_firing, read_plan, read_delivery, read_failed_delivery, read_dead):
        try:
            read(message)
        except Undecodable:
            continue
    try:
        event = read_event(SUBJECTS, message)
    except Undecodable:
        return
    assert event.hops >= 0
    assert event.time.tzinfo is not None
    assert event.cascade == event.id or event.hops > 0


@given(texts)
def test_escaping_a_header_is_undone_by_unescaping(text: str) -> None:
    escaped = escape(text)
    assert unescape(escaped) == text
    assert all("!" <= character <= "~" and character != '"' for character in escaped)


@given(texts, texts)
def test_tokens_are_one_token_and_no_two_texts_meet(one: str, other: str) -> None:
    assert not set(token(one)) & set(".*> \t\r\n")
    assert (token(one) == token(other)) == (one == other)
    assert untoken(token(one)) == one


def test_half_a_surrogate_pair_cannot_be_sent() -> None:
    with pytest.raises(UnicodeEncodeError):
        escape("\ud800")
