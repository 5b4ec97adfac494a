"""What is made of a message whose payload is not there: a breach, unless its run had been archived and deleted."""

import pytest

from loopy.bus.claims import claim_to, claiming
from loopy.bus.codec import record_message
from loopy.bus.memory.stream import Kept
from loopy.bus.subjects import Subjects
from tests.sim.entries import Entry
from tests.sim.history import History
from tests.sim.invariants import large_values_are_there_before_their_messages, nothing_is_set_aside
from tests.support.facts import NOW, Facts, plan, step, workflow

FLOW = workflow(step("a"))
F = Facts(FLOW)
SUBJECTS = Subjects("t")
RESULT = record_message(SUBJECTS, F.succeeded("a"))
CLAIMING = claiming(RESULT, claim_to(RESULT, 1 << 20))
ARCHIVE, DEAD = ("ARCHIVE", SUBJECTS.archive(F.run)), ("DEAD", SUBJECTS.dead("RUN", 7))


def stored(*messages: tuple[str, str]) -> History:
    """A history of these messages, by stream and subject. The payload of a result is not there when that is stored."""
    history = History(plan(FLOW), SUBJECTS, 0.0)
    for index, (stream, subject) in enumerate(messages):
        if subject == RESULT.subject:
            history.without_value.add(index)
        kept = Kept(7, subject, CLAIMING.payload if subject == RESULT.subject else b"", CLAIMING.headers, NOW)
        history.entries.append(Entry(index, float(index), stream, kept))
    return history


def test_a_result_that_is_stored_before_its_payload_is_a_breach() -> None:
    history = stored(("RUN", RESULT.subject), ARCHIVE)
    assert list(large_values_are_there_before_their_messages(history))


def test_a_result_that_comes_when_its_run_is_archived_may_have_lost_its_payload_and_is_set_aside() -> None:
    history = stored(ARCHIVE, ("RUN", RESULT.subject), DEAD)
    assert not list(large_values_are_there_before_their_messages(history))
    assert not list(nothing_is_set_aside(history))
    assert not history.journals, "what it says cannot be known"


@pytest.mark.parametrize("sequence", [6, 8])
def test_nothing_else_is_set_aside_because_of_it(sequence: int) -> None:
    history = stored(ARCHIVE, ("RUN", RESULT.subject), ("DEAD", SUBJECTS.dead("RUN", sequence)))
    assert list(nothing_is_set_aside(history))
