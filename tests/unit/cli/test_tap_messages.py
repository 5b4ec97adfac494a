"""What `loopy tap` selects, and how it shows what passes."""

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopy.bus.cloudevents import event_message
from loopy.bus.codec import record_message
from loopy.bus.messages import Message, Outgoing
from loopy.bus.subjects import Subjects
from loopy.cli.exits import CommandError
from loopy.cli.screen import clock_time, plain
from loopy.cli.tap_messages import record_of, shown, wanted_by
from tests.support.facts import NOW, Facts, event, step, workflow

SUBJECTS = Subjects("acme")


def stored(message: Outgoing) -> Message:
    return Message("EVT", message.subject, message.payload, message.headers, 7, NOW)


def selected(pattern: str | None) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.stream.name, one.filters) for one in wanted_by(pattern, SUBJECTS)]


def test_without_a_pattern_events_and_facts_pass() -> None:
    assert selected(None) == [("EVT", ("acme.evt.>",)), ("RUN", ("acme.run.>",))]


@pytest.mark.parametrize(
    ("pattern", "stream", "subject"),
    [
        ("WorkItem", "EVT", "acme.evt.WorkItem.>"),
        ("Github.*", "EVT", "acme.evt.Github.*.>"),
        ("Github.>", "EVT", "acme.evt.Github.>"),
        ("*", "EVT", "acme.evt.*.>"),
        ("run.end.>", "RUN", "acme.run.end.>"),
        ("run", "RUN", "acme.run.>"),
        ("delivery.sentry_issues.>", "DELIVERY", "acme.delivery.sentry_issues.>"),
        ("firing", "EVT", "acme.firing.>"),
        ("dead", "DEAD", "acme.dead.>"),
    ],
)
def test_a_pattern_is_a_type_or_a_subject(pattern: str, stream: str, subject: str) -> None:
    assert selected(pattern) == [(stream, (subject,))]


def test_what_services_share_in_secret_cannot_be_tapped() -> None:
    assert not [each for _, filters in selected(">") for each in filters if "key" in each]
    for pattern in ("key", "key.>", "key.seal"):
        with pytest.raises(CommandError, match="not shown"):
            wanted_by(pattern, Subjects("acme"))


def test_everything_can_be_tapped_but_chunks_which_their_messages_show_whole() -> None:
    assert [stream for stream, _ in selected(">")] == [
        "EVT",
        "DELIVERY",
        "RUN",
        "ATTEMPT",
        "TIMER",
        "PLAN",
        "LEASE",
        "SLOT",
        "SPEND",
        "CONTROL",
        "DEAD",
        "ARCHIVE",
    ]


@pytest.mark.parametrize("pattern", ["", "a..b", ".a", "a b", ">.a", "a\x00", "\udcff"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(CommandError, match="is no pattern"):
        wanted_by(pattern, SUBJECTS)


def test_an_event_is_one_line() -> None:
    message = stored(event_message(SUBJECTS, event("e1", "WorkItem", data={"link": "l"})))
    noon = clock_time(NOW.astimezone(UTC))
    assert plain(shown(message, SUBJECTS)) == f"{noon}  WorkItem            e1  test  link=l"


def test_a_fact_is_one_line() -> None:
    facts = Facts(workflow(step("a")))
    line = plain(shown(stored(record_message(SUBJECTS, facts.succeeded("a", goal="x"))), SUBJECTS))
    assert "AttemptSucceeded" in line
    assert line.endswith(f'{facts.run[:8]}  w/a  attempt=1, output={{"goal":"x"}}')


def test_json_has_the_payload_decoded() -> None:
    record = record_of(stored(event_message(SUBJECTS, event("e1", "WorkItem", data={"link": "l"}))))
    assert record["data"] == {"link": "l"}
    assert record["subject"] == "acme.evt.WorkItem.e1"


@given(st.sampled_from(["evt.A.1", "run.end.r._._", "run.x.y", "delivery.s.1", "dead.EVT.3", "evt"]), st.binary())
def test_any_bytes_can_be_shown(subject: str, payload: bytes) -> None:
    message = Message("EVT", f"acme.{subject}", payload, {}, 1, NOW)
    assert plain(shown(message, SUBJECTS)).isprintable()
    assert record_of(message)["sequence"] == 1
