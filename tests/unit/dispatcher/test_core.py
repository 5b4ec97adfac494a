from datetime import timedelta

import pytest

from loopy.bus.messages import DeadLetter
from loopy.bus.subjects import Subjects
from loopy.bus.undecodable import Undecodable
from loopy.compiler.plan import CronTrigger
from loopy.runs.effects import StartTimer
from loopy.runs.records import Outcome, RunEnded
from loopy.runs.route import firing_event
from loopy_services.dispatcher.core import (
    DueAttempt,
    admit,
    admit_firing,
    due_attempt,
    firing_mark,
    is_dealt_with,
    message_of,
)
from tests.support.facts import NOW, Facts, at, event, plan, step, workflow

SUBJECTS = Subjects()
NIGHTLY = workflow(step("a"), name="nightly", on=CronTrigger("0 0 * * *"))
PROJECT = plan(workflow(step("a")), NIGHTLY, Incident={"title": "str", "count": "int?"})


def test_an_event_of_the_registrys_type_is_let_in() -> None:
    assert admit(PROJECT, event(data={"title": "boom"})) is None


def test_an_event_that_the_registry_does_not_know_is_a_dead_letter() -> None:
    refused = admit(PROJECT, event(kind="Incidnet"))
    assert refused == DeadLetter("unknown_event", "no event `Incidnet` is in the registry; it has Incident")


def test_an_event_of_the_wrong_type_is_a_dead_letter_that_names_the_field() -> None:
    refused = admit(PROJECT, event(data={"title": 7}))
    assert refused is not None
    assert refused.reason == "wrong_type"
    assert refused.detail.startswith("not a `Incident`: title: ")


def test_nobody_can_publish_an_event_that_passes_for_a_firing() -> None:
    forged = event(kind="cron", data={"scheduled_at": "2026-11-22T12:00:00Z", "last_run": None})
    refused = admit(plan(NIGHTLY, cron={"scheduled_at": "datetime", "last_run": "datetime?"}), forged)
    assert refused is not None
    assert refused.reason == "unknown_event"


def test_a_firing_is_let_in_while_its_workflow_has_a_schedule() -> None:
    assert admit_firing(PROJECT, "nightly") is None
    assert admit_firing(PROJECT, "w") == DeadLetter(
        "unknown_schedule", "the plan has no workflow `w` with a cron trigger"
    )


def test_a_timer_is_a_message_that_the_server_publishes_when_it_is_due() -> None:
    message = message_of(SUBJECTS, StartTimer("r", "a", 0, 2, at(1.5)))
    assert message.subject == "loopy.timer.r.a.0.2"
    assert message.headers == {
        "Nats-Schedule": "@at 2026-11-22T12:00:01.500000Z",
        "Nats-Schedule-Target": "loopy.fire.r.a.0.2",
    }
    assert due_attempt(message.payload) == DueAttempt("r", "a", 0, 2)


def test_a_timer_that_is_none_of_ours_is_undecodable() -> None:
    with pytest.raises(Undecodable):
        due_attempt(b"{}")


@pytest.mark.parametrize(("outcome", "marked"), [("succeeded", True), ("failed", False), ("skipped", False)])
def test_only_a_firing_whose_run_succeeded_is_marked(outcome: Outcome, marked: bool) -> None:
    facts = Facts(NIGHTLY, firing_event("nightly", NOW, NOW - timedelta(days=1)))
    mark = firing_mark(SUBJECTS, facts.started(), RunEnded(facts.run, "nightly", outcome, NOW))
    assert (mark is not None) == marked
    if mark is not None:
        assert mark.subject == f"loopy.firing.done.nightly.{int(NOW.timestamp())}"


@pytest.mark.parametrize(
    ("found", "settles"),
    [("1700000001", True), ("1700000000", True), ("1699999999", False), ("9999999999999", False), ("soon", False)],
)
def test_only_the_mark_itself_or_that_of_a_later_firing_that_can_have_been_leaves_nothing_to_mark(
    found: str, settles: bool
) -> None:
    assert is_dealt_with("loopy.firing.done.nightly.1700000000", f"loopy.firing.done.nightly.{found}", NOW) == settles


def test_a_run_that_an_event_started_marks_no_firing() -> None:
    facts = Facts(workflow(step("a")))
    assert firing_mark(SUBJECTS, facts.started(), RunEnded(facts.run, "w", "succeeded", NOW)) is None
