"""What is asked of a run comes to one record, or to a sentence that says why not and what to do."""

from typing import Any

import msgspec
import pytest

from loopy.compiler.plan import Plan
from loopy.compiler.plan import Retry as RetryPolicy
from loopy.runs.decide import decide
from loopy.runs.edits import Refused
from loopy.runs.effects import EndRun, RequestAttempt
from loopy.runs.records import Record, RunCancelled, RunFailed, RunPaused, RunResumed
from loopy.runs.route import firing_event
from loopy.runs.standing import Standing, standings
from loopy.runs.state import RunState, evolve, fold
from loopy.runs.steer import Asked, Cancel, Pause, Resume, Retry, Wish, steer
from tests.support.facts import NOW, Facts, event, plan, step, workflow

ONCE = RetryPolicy(1)
FLOW = workflow(
    step("look", output={"found": "int", "why": "str?"}),
    step("left", "look", when="event.title != 'calm'", retry=ONCE),
    step("right", "look", output={"n": "int"}),
    step("join", "left", "right"),
)
PLAN = plan(FLOW)
FACTS = Facts(FLOW, event())


def known(*records: Record) -> RunState:
    return fold(FACTS.run, [FACTS.started(), *records])


def asked(wish: Wish, state: RunState, of: Plan | None = PLAN) -> Any:
    return steer(of, state, Asked(wish, "ada", "because"), NOW)


def refusal(wish: Wish, state: RunState, of: Plan | None = PLAN) -> Refused:
    refused = asked(wish, state, of)
    assert isinstance(refused, Refused)
    return refused


LOOKED = FACTS.succeeded("look", found=1)
BROKEN = (LOOKED, FACTS.succeeded("right", n=1), FACTS.failed("left"))
FAILED = RunFailed(FACTS.run, "w", 0, NOW, "left", "no answer")
PAUSED = RunPaused(FACTS.run, "w", 0, NOW, "bob")
CANCELLED = RunCancelled(FACTS.run, "w", NOW, "bob")


def test_each_wish_comes_to_its_record_with_who_and_why() -> None:
    assert asked(Pause(), known()) == RunPaused(FACTS.run, "w", 0, NOW, "ada", "because")
    assert asked(Resume(), known(PAUSED)) == RunResumed(FACTS.run, "w", 1, NOW, "ada", "because")
    assert asked(Cancel(), known()) == RunCancelled(FACTS.run, "w", NOW, "ada", "because")


def test_a_failed_run_is_cancelled_and_ends_so() -> None:
    state = known(*BROKEN, FAILED)
    [end] = decide(FLOW, state, asked(Cancel(), state), NOW)
    assert isinstance(end, EndRun)
    assert (end.end.outcome, end.end.by) == ("cancelled", "ada")


@pytest.mark.parametrize("wish", [Pause(), Resume(), Retry(), Retry("look"), Cancel()])
def test_what_has_ended_stays_so_and_its_event_can_be_replayed(wish: Wish) -> None:
    refused = refusal(wish, known(FACTS.ended()))
    assert "has ended (cancelled)" in refused.why
    assert "loopy runs replay e1" in refused.hint


@pytest.mark.parametrize("wish", [Pause(), Retry(), Retry("look")])
def test_a_run_whose_every_step_is_done_can_neither_wait_nor_run_again(wish: Wish) -> None:
    done = known(LOOKED, FACTS.succeeded("right", n=1), FACTS.succeeded("left"), FACTS.succeeded("join"))
    assert "about to end" in refusal(wish, done).why


@pytest.mark.parametrize("wish", [Pause(), Resume(), Retry(), Cancel()])
def test_what_is_being_cancelled_can_be_nothing_else(wish: Wish) -> None:
    assert refusal(wish, known(CANCELLED)).why == "it was cancelled by bob"


@pytest.mark.parametrize(
    ("wish", "state", "why", "hint"),
    [
        (Pause(), known(PAUSED), "it was paused already, by bob", ""),
        (Pause(), known(*BROKEN, FAILED), "it has failed", "loopy runs retry"),
        (Resume(), known(), "it is not paused", ""),
        (Resume(), known(*BROKEN, FAILED), "failed at step `left`", "loopy runs retry"),
        (Resume(), known(PAUSED, *BROKEN, FAILED), "failed at step `left`", "loopy runs retry"),
        (Retry(), known(LOOKED), "no step of it has failed", "--from STEP"),
        (Retry("rihgt"), known(LOOKED), "`w` has no step `rihgt`", "did you mean `right`?"),
        (Retry("zzz"), known(LOOKED), "`w` has no step `zzz`", "it has look, left, right, join"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(wish: Wish, state: RunState, why: str, hint: str) -> None:
    refused = refusal(wish, state)
    assert why in refused.why
    assert hint in refused.hint


def test_without_its_plan_a_run_can_be_cancelled_and_paused_and_not_retried() -> None:
    state = known(*BROKEN, FAILED)
    assert isinstance(asked(Cancel(), state, None), RunCancelled)
    assert isinstance(asked(Pause(), known(), None), RunPaused)
    assert "is not on the bus" in refusal(Retry(), state, None).why


def test_a_retry_takes_what_failed_and_all_that_comes_after() -> None:
    resumed = asked(Retry(), known(*BROKEN, FAILED))
    assert (resumed.steps, resumed.epoch) == (("left", "join"), 1)


def test_a_retry_from_a_step_takes_it_and_all_after_also_while_the_run_is_under_way() -> None:
    assert asked(Retry("right"), known(LOOKED)).steps == ("right", "join")
    assert asked(Retry("look"), known(LOOKED)).steps == ("look", "left", "right", "join")


def test_edits_reach_the_attempts_that_are_requested_anew() -> None:
    state = known(*BROKEN, FAILED)
    resumed = asked(Retry(None, {"event": {"title": "bang"}, "look": {"why": "heat"}}), state)
    assert resumed.edits == {"event": {"title": "bang"}, "look": {"why": "heat"}}
    [request] = decide(FLOW, state, resumed, NOW)
    assert isinstance(request, RequestAttempt)
    assert (request.attempt.step, request.attempt.epoch, request.attempt.attempt) == ("left", 1, 1)
    assert request.attempt.event.data == {"title": "bang"}
    assert request.attempt.inputs == {"look": {"found": 1, "why": "heat"}}


@pytest.mark.parametrize(
    ("edits", "why", "hint"),
    [
        ({"evnt": {"title": "x"}}, "called `evnt`", "did you mean `event`?"),
        ({"event": {"titel": "x"}}, "`event` has no field `titel`", "did you mean `title`?"),
        ({"event": {"title": 5}}, "title: expected str, got int", ""),
        ({"look": {"found": "many"}}, "found: expected int, got str", ""),
        ({"left": {}}, "step `left` runs again itself", ""),
        ({"right": {"n": 2}}, "comes before none of the steps that run again (left)", ""),
    ],
)
def test_edits_that_fit_nothing_are_refused(edits: dict[str, Any], why: str, hint: str) -> None:
    flow = msgspec.structs.replace(FLOW, steps=FLOW.steps[:3])
    refused = refusal(Retry("left", edits), known(*BROKEN, FAILED), plan(flow))
    assert why in refused.why
    assert hint in refused.hint


def test_an_edit_of_what_gave_nothing_is_refused() -> None:
    assert "it has not succeeded" in refusal(Retry("join", {"left": {}}), known(*BROKEN, FAILED)).why


def test_edits_hold_for_what_runs_again_and_for_nothing_before() -> None:
    state = known(LOOKED, FACTS.succeeded("left"), FACTS.succeeded("right", n=1))
    resumed = asked(Retry("join", {"event": {"title": "calm"}}), state)
    assert standings(FLOW, evolve(state, resumed))["left"].standing is Standing.SUCCEEDED
    resumed = asked(Retry("left", {"event": {"title": "calm"}}), state)
    assert standings(FLOW, evolve(state, resumed))["left"].standing is Standing.SKIPPED_BY_WHEN


def test_the_event_of_a_schedule_has_nothing_to_edit() -> None:
    facts = Facts(FLOW, event(kind="cron", data={"scheduled_at": "2026-11-22T12:00:00Z", "last_run": None}))
    state = fold(facts.run, [facts.started()])
    assert "a schedule started it" in refusal(Retry("look", {"event": {"scheduled_at": "x"}}), state).why


def test_a_run_that_a_schedule_started_is_not_said_to_be_replayable() -> None:
    firing = Facts(FLOW, firing_event("w", NOW, None))
    ended = fold(firing.run, [firing.started(), firing.ended()])
    assert refusal(Retry(), ended).hint == ""
    by_an_event = fold(FACTS.run, [FACTS.started(), FACTS.ended()])
    assert FACTS.started().event.id in refusal(Retry(), by_an_event).hint
