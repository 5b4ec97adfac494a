"""Runs that somebody steers, as transcripts: given these facts, in this order, each calls for exactly this."""

import pytest

from loopy.compiler.plan import Budget, Retry
from loopy.runs.decide import decide, retry
from loopy.runs.effects import EndRun, PublishEvent, RequestAttempt
from loopy.runs.records import Record, Slot
from loopy.runs.state import fold
from tests.support.facts import NOW, WORK, Facts, emitted, step, workflow
from tests.unit.runs.test_decide import CHAIN, DIAMOND, shown, transcript

ONCE = workflow(step("a", retry=Retry(1)), step("b", "a", retry=Retry(1), emits=WORK), step("c", "b"))
SLOT = Slot("deploys", "acme/site", 1)


def test_a_failed_run_that_is_resumed_goes_on_from_the_step_that_failed() -> None:
    f = Facts(ONCE)
    facts: list[Record] = [
        f.started(),
        f.succeeded("a", n=1),
        f.failed("b"),
        f.gave_up("b"),
        f.resumed(1, "b", "c"),
        f.succeeded("b", epoch=1),
        f.succeeded("c", epoch=1),
    ]
    assert transcript(ONCE, facts) == [
        ["request a.1"],
        ["request b.1"],
        ["fail at b: no answer"],
        [],
        ["request b.1 in epoch 1"],
        ["request c.1 in epoch 1"],
        ["end succeeded"],
    ]


def test_a_run_that_fails_again_has_failed_again_and_can_be_resumed_again() -> None:
    f = Facts(ONCE)
    failed: list[Record] = [f.started(), f.failed("a"), f.gave_up("a")]
    again: list[Record] = [f.resumed(1, "a", "b", "c"), f.failed("a", epoch=1), f.gave_up("a", 1)]
    assert transcript(ONCE, [*failed, *again, f.resumed(2, "a", "b", "c")])[3:] == [
        ["request a.1 in epoch 1"],
        ["fail at a: no answer"],
        [],
        ["request a.1 in epoch 2"],
    ]


def test_attempts_are_counted_anew_in_an_epoch() -> None:
    flow = workflow(step("a", retry=Retry(2)))
    f = Facts(flow)
    facts: list[Record] = [f.started(), f.failed("a", 1), f.failed("a", 2), f.gave_up("a"), f.resumed(1, "a")]
    assert transcript(flow, [*facts, f.failed("a", 1, epoch=1), f.failed("a", 2, epoch=1)])[4:] == [
        ["request a.1 in epoch 1"],
        ["timer a.2"],
        ["fail at a: gave up after 2 attempts: no answer"],
    ]


def test_a_result_of_a_past_epoch_changes_nothing() -> None:
    f = Facts(CHAIN)
    late = f.succeeded("b", emits=(emitted("WorkItem"),))
    facts: list[Record] = [f.started(), f.succeeded("a"), f.resumed(1, "b", "c"), late]
    assert transcript(CHAIN, facts)[2:] == [["request b.1 in epoch 1"], []]


def test_a_step_that_runs_again_emits_anew() -> None:
    f = Facts(workflow(step("a", emits=WORK), step("b", "a")))
    once, again = (f.succeeded("a", emits=(emitted("WorkItem"),), epoch=epoch) for epoch in (0, 1))
    flow = f.workflow
    [first] = [e for e in decide(flow, fold(f.run, [f.started()]), once, NOW) if isinstance(e, PublishEvent)]
    before = fold(f.run, [f.started(), once, f.resumed(1, "a", "b")])
    [second] = [e for e in decide(flow, before, again, NOW) if isinstance(e, PublishEvent)]
    assert first.event.id != second.event.id


def test_what_was_amended_is_what_the_steps_are_given() -> None:
    flow = workflow(step("a"), step("b", "a"), step("c", "b", when='event.title == "other"'))
    f = Facts(flow)
    facts: list[Record] = [f.started(), f.succeeded("a", n=1, m=1)]
    resumed = f.resumed(1, "b", "c", event={"title": "other"}, a={"n": 2})
    [effect] = decide(flow, fold(f.run, facts), resumed, NOW)
    assert isinstance(effect, RequestAttempt)
    assert effect.attempt.inputs == {"a": {"n": 2, "m": 1}}
    assert effect.attempt.event.data == {"title": "other"}
    [follows] = decide(flow, fold(f.run, [*facts, resumed]), f.succeeded("b", epoch=1), NOW)
    assert isinstance(follows, RequestAttempt)
    assert (follows.attempt.step, follows.attempt.epoch) == ("c", 1)


def test_a_paused_run_begins_nothing_and_goes_on_where_it_was() -> None:
    f = Facts(DIAMOND)
    facts: list[Record] = [
        f.started(),
        f.paused(),
        f.succeeded("a"),
        f.resumed(1),
        f.succeeded("b"),
        f.succeeded("c"),
        f.succeeded("d"),
    ]
    assert transcript(DIAMOND, facts) == [
        ["request a.1"],
        [],
        [],
        ["request b.1", "request c.1"],
        [],
        ["request d.1"],
        ["end succeeded"],
    ]


def test_a_retry_that_came_due_in_a_paused_run_begins_when_it_is_resumed() -> None:
    f = Facts(CHAIN)
    facts: list[Record] = [f.started(), f.failed("a"), f.paused()]
    assert retry(CHAIN, fold(f.run, facts), "a", 0, 2, NOW) == []
    assert transcript(CHAIN, [*facts, f.resumed(1)])[-1] == ["request a.2"]
    failing: list[Record] = [f.started(), f.paused(), f.failed("a"), f.resumed(1)]
    assert transcript(CHAIN, failing)[2:] == [[], ["request a.2"]]


def test_a_paused_run_in_which_nothing_is_left_ends_all_the_same() -> None:
    flow = workflow(step("a", emits=WORK))
    f = Facts(flow)
    assert transcript(flow, [f.started(), f.paused(), f.succeeded("a")])[2] == ["end succeeded"]


def test_what_a_paused_run_emits_is_published() -> None:
    f = Facts(CHAIN)
    facts: list[Record] = [f.started(), f.paused(), f.succeeded("a", emits=(emitted("WorkItem"),))]
    assert transcript(CHAIN, facts)[2] == ["event WorkItem"]


def test_a_cancelled_run_ends_by_whom_and_nothing_follows() -> None:
    f = Facts(CHAIN)
    late = f.succeeded("a", emits=(emitted("WorkItem"),))
    facts: list[Record] = [f.started(), f.cancelled(), late, f.resumed(1), f.failed("b")]
    assert transcript(CHAIN, facts)[1:] == [["end cancelled by ada"], [], [], []]
    [effect] = decide(CHAIN, fold(f.run, facts[:1]), facts[1], NOW)
    assert isinstance(effect, EndRun)
    assert effect.end.detail == "no use"


def test_a_run_that_failed_can_be_cancelled() -> None:
    f = Facts(ONCE)
    facts: list[Record] = [f.started(), f.failed("a"), f.gave_up("a"), f.cancelled()]
    assert transcript(ONCE, facts)[3] == ["end cancelled by ada"]


def test_a_resume_that_is_not_the_next_one_counts_for_nothing() -> None:
    f = Facts(CHAIN)
    assert transcript(CHAIN, [f.started(), f.paused(), f.resumed(2), f.succeeded("a")])[2:] == [[], []]


def test_a_run_waits_for_its_slots_and_gives_them_back_when_it_is_over() -> None:
    f = Facts(ONCE)
    facts: list[Record] = [f.started(SLOT), f.admitted(), f.failed("a"), f.gave_up("a")]
    resumed: list[Record] = [f.resumed(1, "a", "b", "c"), f.admitted(1), f.succeeded("a", epoch=1), f.cancelled()]
    assert transcript(ONCE, [*facts, *resumed]) == [
        ["queue for deploys"],
        ["request a.1"],
        ["fail at a: no answer", "release deploys"],
        [],
        ["queue for deploys"],
        ["request a.1 in epoch 1"],
        ["request b.1 in epoch 1"],
        ["end cancelled by ada", "release deploys"],
    ]


def test_a_run_with_slots_that_was_paused_asks_for_them_again_and_goes_on_once_it_has_them() -> None:
    f = Facts(CHAIN)
    facts: list[Record] = [f.started(SLOT), f.paused(), f.admitted(), f.resumed(1), f.admitted(1)]
    assert transcript(CHAIN, facts) == [["queue for deploys"], [], [], ["queue for deploys"], ["request a.1"]]


@pytest.mark.parametrize(("spends", "attempts"), [((3.0, 1.5), 2), ((1.0, 1.0, 1.0), 3)])
def test_a_budget_of_dollars_is_over_all_attempts(spends: tuple[float, ...], attempts: int) -> None:
    flow = workflow(step("a", retry=Retry(3), budget=Budget(spend_usd=4)))
    f = Facts(flow)
    failures: list[Record] = [f.failed("a", number, spend_usd=usd) for number, usd in enumerate(spends, 1)]
    said = transcript(flow, [f.started(), *failures])
    assert len(said) == attempts + 1
    gave_up = "its budget of 4 USD is spent, 4.5 USD so far" if attempts == 2 else "gave up after 3 attempts"
    assert said[-1] == [f"fail at a: {gave_up}: no answer"]


def test_an_attempt_is_told_what_is_left_of_the_budget() -> None:
    flow = workflow(step("a", budget=Budget(spend_usd=4)))
    f = Facts(flow)
    [effect] = retry(flow, fold(f.run, [f.started(), f.failed("a", spend_usd=1.5)]), "a", 0, 2, NOW)
    assert isinstance(effect, RequestAttempt)
    assert effect.attempt.spend_usd == 2.5
    assert shown(effect) == "request a.2"
