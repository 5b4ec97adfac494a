import msgspec

from loopy.runs.records import EventRouted, Record, RunResumed, StepSkipped
from loopy.runs.standing import Standing, standings
from loopy.runs.state import RunState, evolve, fold
from tests.support.facts import NOW, PLAN, Facts, event, step, workflow

FLOW = workflow(step("a"), step("b", "a"))


def test_a_journal_folds_into_a_state() -> None:
    f = Facts(FLOW)
    skip = StepSkipped(f.run, "w", "b", NOW, "when")
    state = fold(f.run, [f.started(), f.failed("a"), f.succeeded("a", 2), skip, f.ended()])
    assert state.started == f.started()
    assert state.step("a").results == (f.failed("a"), f.succeeded("a", 2))
    assert state.step("b").skipped == skip
    assert state.ended == f.ended()
    assert state.has_failed("a", 0, 1)
    assert not state.has_failed("a", 0, 2)


def test_facts_known_already_and_facts_of_others_change_nothing() -> None:
    f, other = Facts(FLOW), Facts(FLOW, event("e2"))
    skip = StepSkipped(f.run, "w", "b", NOW, "when")
    facts: list[Record] = [f.started(), f.failed("a"), f.succeeded("a", 2), skip, f.ended()]
    state = fold(f.run, facts)
    strange: list[Record] = [other.started(), other.failed("a"), other.succeeded("a"), other.ended()]
    routed = EventRouted("e1", "Incident", "e1", PLAN, NOW)
    for record in [*facts, *strange, routed]:
        assert evolve(state, record) is state


def test_a_step_succeeds_once_whichever_attempt_it_was() -> None:
    f = Facts(FLOW)
    state = fold(f.run, [f.started(), f.succeeded("a", 1, n=1), f.succeeded("a", 2, n=2)])
    assert state.step("a").results == (f.succeeded("a", 1, n=1),)


def test_the_failure_of_an_epoch_that_is_past_says_nothing_however_late_it_is_stored() -> None:
    f = Facts(FLOW)
    resumed = fold(f.run, [f.started(), f.failed("a"), f.resumed(1, "a", "b")])
    failed_anew = evolve(resumed, f.gave_up("a", 1))
    for state in (resumed, failed_anew):
        assert evolve(state, f.gave_up("a")) is state
    assert failed_anew.failed == f.gave_up("a", 1)


def test_before_its_first_fact_every_step_waits() -> None:
    assert {each.standing for each in standings(FLOW, RunState("r")).values()} == {Standing.WAITING}


def test_an_attempt_whose_executor_had_a_wrong_clock_took_no_time() -> None:
    f = Facts(FLOW)
    stands = standings(FLOW, fold(f.run, [f.started(), f.failed("a", 1, took_s=-5000)]))
    assert stands["a"].standing is Standing.READY


def test_what_was_put_right_is_so_for_the_steps_that_run_again_and_for_no_other() -> None:
    flow = workflow(step("a", when="event.n > 3"), step("b", "a"), step("c", "b"))
    f = Facts(flow, event(data={"n": 5}))
    resumed = RunResumed(f.run, "w", 1, NOW, "ann", steps=("c",), edits={"event": {"n": 1}, "a": {"x": 2}})
    facts: list[Record] = [
        f.started(),
        f.succeeded("a", x=1, y=1),
        f.succeeded("b"),
        f.failed("c", retryable=False),
        resumed,
    ]
    stands = standings(flow, fold(f.run, facts))
    assert [each.standing for each in stands.values()] == [Standing.SUCCEEDED, Standing.SUCCEEDED, Standing.READY]
    assert stands["b"].inputs == {"a": {"x": 1, "y": 1}}
    assert stands["c"].inputs == {"a": {"x": 2, "y": 1}, "b": {}}


def test_an_output_that_is_worked_out_anew_is_not_amended_as_the_old_one_was() -> None:
    flow = workflow(step("a"), step("b", "a"))
    f = Facts(flow)
    once = RunResumed(f.run, "w", 1, NOW, "ann", steps=("b",), edits={"a": {"x": 2}, "event": {"title": "new"}})
    twice = RunResumed(f.run, "w", 2, NOW, "ann", steps=("a", "b"))
    anew = msgspec.structs.replace(f.succeeded("a", x=3), epoch=2)
    facts: list[Record] = [f.started(), f.succeeded("a", x=1), f.failed("b", retryable=False), once, twice, anew]
    state = fold(f.run, facts)
    assert standings(flow, state)["b"].inputs == {"a": {"x": 3}}
    assert state.step("b").edits == {"event": {"title": "new"}}
