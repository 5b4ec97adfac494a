"""What a dispatcher recalls of a run is what the journal says, or it recalls nothing."""

import msgspec

from loopy.bus.messages import Message
from loopy.runs.records import Record
from loopy.runs.state import fold
from loopy_services.dispatcher.recall import Recall
from tests.support.facts import NOW, Facts, step, workflow

FACTS = Facts(workflow(step("a"), step("b", "a")))
JOURNAL: tuple[Record, ...] = (
    FACTS.started(),
    FACTS.failed("a"),
    FACTS.succeeded("a", attempt=2, n=1),
    FACTS.succeeded("b"),
)


def message(record: Record, sequence: int, *, alone_since: int = 1, deliveries: int = 1) -> Message:
    payload = msgspec.json.encode(record)
    return Message("RUN", "x", payload, {}, sequence, NOW, deliveries=deliveries, alone_since=alone_since)


def recalling(*records: Record, recall: Recall | None = None) -> Recall:
    """After these facts, stored from sequence 1 on, each delivered once."""
    recall = recall or Recall()
    for sequence, record in enumerate(records, 1):
        recall.note(message(record, sequence), FACTS.run, record)
    return recall


def test_before_each_fact_the_state_is_that_of_the_journal_before_it() -> None:
    recall = recalling(*JOURNAL)
    for sequence, record in enumerate(JOURNAL, 1):
        assert recall.before(message(record, sequence), FACTS.run) == fold(FACTS.run, JOURNAL[: sequence - 1])


def test_a_fact_that_comes_again_has_the_state_that_it_had() -> None:
    recall = recalling(*JOURNAL)
    again = message(JOURNAL[1], 2, deliveries=2)
    recall.note(again, FACTS.run, JOURNAL[1])
    assert recall.before(again, FACTS.run) == fold(FACTS.run, JOURNAL[:1])


def test_nothing_is_recalled_once_a_fact_of_the_run_may_have_gone_to_another() -> None:
    recall = recalling(*JOURNAL)
    assert recall.before(message(JOURNAL[-1], 4, alone_since=1), FACTS.run) is not None
    assert recall.before(message(JOURNAL[-1], 4, alone_since=2), FACTS.run) is None
    assert recall.before(message(JOURNAL[-1], 4, alone_since=0), FACTS.run) is None


def test_nothing_is_recalled_of_a_run_whose_beginning_did_not_come_here_first() -> None:
    recall = Recall()
    recall.note(message(JOURNAL[0], 1, deliveries=2), FACTS.run, JOURNAL[0])
    recall.note(message(JOURNAL[1], 2), FACTS.run, JOURNAL[1])
    assert recall.before(message(JOURNAL[2], 3), FACTS.run) is None


def test_a_beginning_that_was_set_aside_and_put_back_tells_nothing_of_what_followed_it() -> None:
    recall = Recall()
    recall.note(msgspec.structs.replace(message(JOURNAL[0], 1), replay=9), FACTS.run, JOURNAL[0])
    assert recall.before(message(JOURNAL[2], 10), FACTS.run) is None


def test_a_run_that_has_ended_is_forgotten_and_its_repeated_beginning_does_not_bring_it_back() -> None:
    recall = recalling(*JOURNAL, FACTS.ended())
    recall.note(message(JOURNAL[0], 1, deliveries=2), FACTS.run, JOURNAL[0])
    assert recall.before(message(JOURNAL[1], 2), FACTS.run) is None


def test_the_run_that_was_quiet_for_longest_is_forgotten_when_there_is_no_more_room() -> None:
    room = len(msgspec.json.encode(JOURNAL[0])) * 2 + 10
    recall = Recall(most_bytes=room)
    for sequence, run in enumerate(("first", "second", "third"), 1):
        recall.note(message(JOURNAL[0], sequence), run, JOURNAL[0])
    known = [run for run in ("first", "second", "third") if recall.before(message(JOURNAL[2], 9), run) is not None]
    assert known == ["second", "third"]
