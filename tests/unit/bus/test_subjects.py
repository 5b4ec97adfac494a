"""The grammar of subjects."""

import pytest

from loopy.bus.subjects import NamespaceError, Subjects, token, untoken

SUBJECTS = Subjects("acme-sre")


def test_an_events_subject_has_its_types_dots_as_tokens_and_its_id_last() -> None:
    subject = SUBJECTS.event("Github.PullRequestOpened", "a.b/c")
    assert subject == "acme-sre.evt.Github.PullRequestOpened.a=2eb=2fc"
    assert SUBJECTS.event_of(subject) == ("Github.PullRequestOpened", "a=2eb=2fc")


@pytest.mark.parametrize("subject", ["acme-sre.evt.Incident", "acme-sre.run.start.x._", "other.evt.Incident.1", ""])
def test_what_is_no_events_subject_is_refused(subject: str) -> None:
    with pytest.raises(ValueError, match="is not an event's subject"):
        SUBJECTS.event_of(subject)


@pytest.mark.parametrize("namespace", ["", "Loopy", "1st", "a.b", "a*", "a" * 33, "ä"])
def test_what_cannot_begin_a_subject_is_no_namespace(namespace: str) -> None:
    with pytest.raises(NamespaceError, match="lower-case letter"):
        Subjects(namespace)


def test_the_filters_of_a_run_and_of_a_cascade_select_their_facts() -> None:
    assert SUBJECTS.journal("r") == "acme-sre.run.*.r.>"
    assert SUBJECTS.start("r") == "acme-sre.run.start.r._"
    assert SUBJECTS.result("r", "fix", 0, 2) == "acme-sre.run.result.r.fix.0.2"
    assert SUBJECTS.cascade("e.1") == "acme-sre.run.routed.e=2e1.>"
    assert SUBJECTS.routed("e.1", "e.2") == "acme-sre.run.routed.e=2e1.e=2e2"


def test_a_tap_is_by_type_or_of_all_events() -> None:
    assert SUBJECTS.tap() == "acme-sre.tap.evt.>"
    assert SUBJECTS.tap("WorkItem") == "acme-sre.tap.evt.WorkItem.>"


@pytest.mark.parametrize("strange", ["a=2Fb", "a=zz", "a~b", "a=ff", "=", "a=41"])
def test_a_strangers_token_is_taken_as_it_stands(strange: str) -> None:
    assert untoken(strange) == strange


def test_a_token_of_ours_is_read_back() -> None:
    assert untoken(token("a.b > ä")) == "a.b > ä"
