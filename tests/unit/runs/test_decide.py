"""Decisions as transcripts: given these facts, in this order, each calls for exactly this."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from loopy.compiler.plan import Budget, Retry, Workflow
from loopy.runs.decide import decide, owed, retry, retry_delay_s
from loopy.runs.effects import (
    Effect,
    EndRun,
    FailRun,
    PublishEvent,
    QueueRun,
    ReleaseSlots,
    RequestAttempt,
    SkipStep,
    StartTimer,
)
from loopy.runs.ids import emitted_id
from loopy.runs.records import AttemptRequested, Cause, Emitted, Record
from loopy.runs.state import RunState, evolve, fold
from tests.support.facts import NOW, WORK, Facts, at, emitted, event, step, workflow


def shown(effect: Effect) -> str:
    match effect:
        case RequestAttempt(attempt):
            again = f" in epoch {attempt.epoch}" if attempt.epoch else ""
            return f"request {attempt.step}.{attempt.attempt}{again}"
        case SkipStep(skip):
            return f"skip {skip.step} ({skip.reason})"
        case PublishEvent(event=published):
            return f"event {published.type}"
        case StartTimer(step=name, attempt=attempt):
            return f"timer {name}.{attempt}"
        case EndRun(end):
            return f"end {end.outcome}" + (f" by {end.by}" if end.by else "")
        case FailRun(failure):
            return f"fail at {failure.step}: {failure.detail}"
        case QueueRun(slots=slots):
            return f"queue for {', '.join(slot.name for slot in slots)}"
        case ReleaseSlots(slots=slots):
            return f"release {', '.join(slot.name for slot in slots)}"


def transcript(flow: Workflow, records: Sequence[Record]) -> list[list[str]]:
    """What each fact calls for, in turn."""
    state = RunState(Facts(flow).run)
    said = []
    for record in records:
        said.append([shown(effect) for effect in decide(flow, state, record, NOW)])
        state = evolve(state, record)
    return said


CHAIN = workflow(step("a", emits=WORK), step("b", "a"), step("c", "b"))
DIAMOND = workflow(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))


def test_a_chain_goes_step_by_step_and_ends() -> None:
    f = Facts(CHAIN)
    assert transcript(CHAIN, [f.started(), f.succeeded("a"), f.succeeded("b"), f.succeeded("c")]) == [
        ["request a.1"],
        ["request b.1"],
        ["request c.1"],
        ["end succeeded"],
    ]


def test_a_diamond_fans_out_and_joins_once_whichever_side_is_last() -> None:
    f = Facts(DIAMOND)
    for first, second in (("b", "c"), ("c", "b")):
        facts: list[Record] = [f.started(), f.succeeded("a"), f.succeeded(first), f.succeeded(second), f.succeeded("d")]
        assert transcript(DIAMOND, facts) == [
            ["request a.1"],
            ["request b.1", "request c.1"],
            [],
            ["request d.1"],
            ["end succeeded"],
        ]


def test_an_attempt_holds_the_outputs_of_all_steps_upstream() -> None:
    f = Facts(DIAMOND)
    facts: list[Record] = [f.started(), f.succeeded("a", n=1), f.succeeded("b", n=2), f.succeeded("c", n=3)]
    [effect] = decide(DIAMOND, fold(f.run, facts[:-1]), facts[-1], NOW)
    assert effect == RequestAttempt(
        AttemptRequested(
            run=f.run,
            workflow="w",
            step="d",
            attempt=1,
            plan=f.started().plan,
            event=f.event,
            inputs={"a": {"n": 1}, "b": {"n": 2}, "c": {"n": 3}},
            wall_clock_s=3600.0,
            at=NOW,
        ),
        "default",
    )


def test_an_attempt_goes_to_the_pool_that_its_step_names() -> None:
    flow = workflow(step("a", pool="gpu"))
    [effect] = decide(flow, RunState(Facts(flow).run), Facts(flow).started(), NOW)
    assert isinstance(effect, RequestAttempt)
    assert effect.pool == "gpu"


def test_a_step_whose_when_is_false_is_skipped_with_all_that_only_it_leads_to() -> None:
    flow = workflow(step("a"), step("b", "a", when="a.go == true"), step("c", "b"), step("d", "c"))
    f = Facts(flow)
    assert transcript(flow, [f.started(), f.succeeded("a", go=False)]) == [
        ["request a.1"],
        ["skip b (when)", "skip c (predecessors)", "skip d (predecessors)", "end succeeded"],
    ]


def test_a_join_runs_when_one_of_its_predecessors_was_skipped_and_sees_null_for_it() -> None:
    flow = workflow(step("a"), step("b", "a", when="a.go == true"), step("c", "a"), step("d", "b", "c"))
    f = Facts(flow)
    facts: list[Record] = [f.started(), f.succeeded("a", go=False), f.succeeded("c", n=1), f.succeeded("d")]
    assert transcript(flow, facts) == [
        ["request a.1"],
        ["skip b (when)", "request c.1"],
        ["request d.1"],
        ["end succeeded"],
    ]
    [effect] = decide(flow, fold(f.run, facts[:2]), facts[2], NOW)
    assert isinstance(effect, RequestAttempt)
    assert effect.attempt.inputs == {"a": {"go": False}, "b": None, "c": {"n": 1}}


def test_a_run_whose_entry_is_not_called_for_is_skipped_at_once() -> None:
    flow = workflow(step("a", when='event.title == "other"'), step("b", "a"))
    assert transcript(flow, [Facts(flow).started()]) == [["skip a (when)", "skip b (predecessors)", "end skipped"]]


def test_a_when_that_cannot_be_evaluated_fails_its_step() -> None:
    flow = workflow(step("a", when="event.title =="), step("b", "a"))
    [[said]] = transcript(flow, [Facts(flow).started()])
    assert said.startswith("fail at a: `when: event.title ==` cannot be evaluated: ")


def test_a_failure_is_retried_by_timer_until_no_attempt_is_left() -> None:
    f = Facts(CHAIN)
    assert transcript(CHAIN, [f.started(), f.failed("a", 1), f.failed("a", 2), f.failed("a", 3)]) == [
        ["request a.1"],
        ["timer a.2"],
        ["timer a.3"],
        ["fail at a: gave up after 3 attempts: no answer"],
    ]


def test_a_failure_that_is_not_retryable_ends_the_run() -> None:
    f = Facts(CHAIN)
    assert transcript(CHAIN, [f.started(), f.failed("a", retryable=False)])[1] == ["fail at a: no answer"]


def test_a_single_attempt_says_nothing_of_attempts() -> None:
    flow = workflow(step("a", retry=Retry(1)))
    f = Facts(flow)
    assert transcript(flow, [f.started(), f.failed("a")])[1] == ["fail at a: no answer"]


def test_a_wall_clock_that_is_spent_leaves_no_attempt() -> None:
    flow = workflow(step("a", budget=Budget(wall_clock_s=60)))
    f = Facts(flow)
    assert transcript(flow, [f.started(), f.failed("a", 1, took_s=40), f.failed("a", 2, took_s=20)])[1:] == [
        ["timer a.2"],
        ["fail at a: its wall clock of 60 s is spent (attempt 2): no answer"],
    ]


def test_siblings_under_way_are_awaited_before_a_failed_run_ends() -> None:
    flow = workflow(step("a"), step("b", "a", retry=Retry(1)), step("c", "a"), step("d", "b", "c"), step("e", "c"))
    f = Facts(flow)
    facts: list[Record] = [f.started(), f.succeeded("a"), f.failed("b"), f.succeeded("c"), f.succeeded("e")]
    assert transcript(flow, facts) == [
        ["request a.1"],
        ["request b.1", "request c.1"],
        [],
        ["request e.1"],
        ["fail at b: no answer"],
    ]


@pytest.mark.parametrize(
    ("emits", "says"),
    [
        ((emitted("a b"),), "its result emits 1 × `a b`, which the step does not declare"),
        ((emitted("Note"),) * 11, "its result emits 11 × `Note`, which the step may emit 10 at most"),
    ],
)
def test_a_success_that_emits_what_its_step_does_not_declare_fails_the_step(
    emits: tuple[Emitted, ...], says: str
) -> None:
    flow = workflow(step("a", emits=WORK), step("b", "a"))
    f = Facts(flow)
    [effect] = decide(flow, fold(f.run, [f.started()]), f.succeeded("a", emits=emits), NOW)
    assert isinstance(effect, FailRun)
    assert (effect.failure.step, effect.failure.detail) == ("a", says)
    failed = fold(f.run, [f.started(), f.succeeded("a", emits=emits), effect.failure])
    [again] = decide(flow, failed, f.resumed(1, "a", "b"), NOW)
    assert isinstance(again, RequestAttempt)


def test_emitted_events_carry_the_cascade_on() -> None:
    flow = workflow(step("a", emits=WORK))
    trigger = event("e9", cascade="root", hops=3, traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    f = Facts(flow, trigger)
    emits = (emitted("WorkItem", n=1), emitted("Note"), emitted("WorkItem", n=2))
    effects = decide(flow, fold(f.run, [f.started()]), f.succeeded("a", emits=emits), NOW)
    events = [effect.event for effect in effects if isinstance(effect, PublishEvent)]
    assert [(each.type, each.data) for each in events] == [("WorkItem", {"n": 1}), ("Note", {}), ("WorkItem", {"n": 2})]
    assert [each.id for each in events] == [
        emitted_id(f.run, "a", 0, "WorkItem", 0),
        emitted_id(f.run, "a", 0, "Note", 0),
        emitted_id(f.run, "a", 0, "WorkItem", 1),
    ]
    assert {(each.cascade, each.hops, each.cause, each.traceparent) for each in events} == {
        ("root", 4, Cause(f.run, "a"), trigger.traceparent)
    }
    assert isinstance(effects[-1], EndRun)


def test_an_attempt_ends_once_so_a_late_success_after_its_failure_changes_nothing() -> None:
    f = Facts(CHAIN)
    facts: list[Record] = [f.started(), f.failed("a", 1), f.succeeded("a", 1, n=1)]
    assert transcript(CHAIN, facts)[2] == []
    [effect] = retry(CHAIN, fold(f.run, facts), "a", 0, 2, NOW)
    assert shown(effect) == "request a.2"


def test_a_success_after_the_last_failure_changes_nothing() -> None:
    flow = workflow(step("a"), step("b", "a", retry=Retry(1), emits=WORK), step("c", "a"))
    f = Facts(flow)
    late = f.succeeded("b", 2, emits=(emitted("WorkItem"),))
    assert transcript(flow, [f.started(), f.succeeded("a"), f.failed("b"), late, f.succeeded("c")])[2:] == [
        [],
        [],
        ["fail at b: no answer"],
    ]


@pytest.mark.parametrize("repeated", range(4))
def test_a_duplicate_calls_for_nothing(repeated: int) -> None:
    f = Facts(CHAIN)
    facts: list[Record] = [f.started(), f.failed("a", 1), f.succeeded("a", 2), f.succeeded("b")]
    assert transcript(CHAIN, [*facts, facts[repeated]])[-1] == []


def test_nothing_follows_the_end_of_a_run() -> None:
    f = Facts(CHAIN)
    assert transcript(CHAIN, [f.started(), f.ended(), f.succeeded("a")])[2] == []
    assert retry(CHAIN, fold(f.run, [f.started(), f.failed("a"), f.ended()]), "a", 0, 2, NOW) == []


def test_facts_of_a_run_that_has_not_begun_call_for_nothing() -> None:
    assert transcript(CHAIN, [Facts(CHAIN).succeeded("a")]) == [[]]


def test_a_timer_requests_its_attempt_with_what_is_left_of_the_wall_clock() -> None:
    flow = workflow(step("a", budget=Budget(wall_clock_s=100)))
    f = Facts(flow)
    state = fold(f.run, [f.started(), f.failed("a", took_s=30)])
    [effect] = retry(flow, state, "a", 0, 2, at(60))
    assert isinstance(effect, RequestAttempt)
    assert (effect.attempt.attempt, effect.attempt.wall_clock_s, effect.attempt.at) == (2, 70.0, at(60))
    assert retry(flow, state, "a", 0, 3, NOW) == []
    assert retry(flow, state, "nowhere", 0, 2, NOW) == []


def test_a_timer_is_due_after_the_backoff() -> None:
    f = Facts(CHAIN)
    [effect] = decide(CHAIN, fold(f.run, [f.started()]), f.failed("a"), NOW)
    delay = timedelta(seconds=retry_delay_s(Retry(), f.run, "a", 2))
    assert effect == StartTimer(f.run, "a", 0, 2, NOW + delay)


def test_what_a_run_is_owed_is_what_it_asked_for_and_is_not_settled() -> None:
    f = Facts(DIAMOND)
    facts: list[Record] = [f.started(), f.succeeded("a"), f.failed("b")]
    assert [shown(effect) for effect in owed(DIAMOND, fold(f.run, facts), NOW)] == ["timer b.2", "request c.1"]
    assert owed(DIAMOND, fold(f.run, [*facts, f.ended()]), NOW) == []
    assert owed(DIAMOND, fold(f.run, [*facts, f.paused()]), NOW) == []
    assert owed(DIAMOND, fold(f.run, facts[1:]), NOW) == []


def test_backoff_doubles_up_to_its_cap_with_a_jitter_that_follows_from_the_ids() -> None:
    policy = Retry(attempts=99, backoff_s=10, max_backoff_s=60)
    for attempt, around in ((2, 10), (3, 20), (4, 40), (5, 60), (99, 60)):
        delays = {retry_delay_s(policy, f"run{n}", "a", attempt) for n in range(50)}
        assert around * 0.8 <= min(delays) < max(delays) <= min(60, around * 1.2)
        assert retry_delay_s(policy, "run0", "a", attempt) in delays
