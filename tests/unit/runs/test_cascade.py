from loopy.compiler.plan import Plan
from loopy.runs.cascade import Cascade, cascade_of
from loopy.runs.ids import emitted_id
from loopy.runs.records import EventRouted, Record, Refusal, RoutedRun, RunEnded
from loopy.runs.state import RunState, fold
from tests.support.facts import NOW, PLAN, WORK, Facts, at, emitted, event, plan, step, workflow

TRIAGE = workflow(step("look", emits=WORK), step("sort", "look"), name="triage")
RESOLVE = workflow(step("fix"), name="resolve", on="WorkItem")
PLANS: dict[str, Plan] = {PLAN: plan(TRIAGE, RESOLVE)}

FIRST = Facts(TRIAGE)
ITEM = emitted_id(FIRST.run, "look", 0, "WorkItem", 0)
SECOND = Facts(RESOLVE, event(ITEM, "WorkItem", cascade="e1", hops=1, data={"n": 1}))


def ended(facts: Facts, outcome: str = "succeeded") -> RunEnded:
    return RunEnded(facts.run, facts.workflow.name, outcome, at(9))  # type: ignore[arg-type]  # a literal, by its caller


def routed(facts: Facts) -> EventRouted:
    runs = (RoutedRun(facts.run, facts.workflow.name),)
    return EventRouted(facts.event.id, facts.event.type, "e1", PLAN, NOW, runs)


def tree(routes: list[EventRouted], *journals: tuple[Facts, list[Record]], plans: dict[str, Plan] = PLANS) -> Cascade:
    runs: dict[str, RunState] = {facts.run: fold(facts.run, records) for facts, records in journals}
    return cascade_of("e1", routes, runs, plans)


LOOKED = FIRST.succeeded("look", emits=(emitted("WorkItem", n=1),), took_s=2, cause="x")
FIRST_DONE: list[Record] = [FIRST.started(), LOOKED, FIRST.succeeded("sort"), ended(FIRST)]


def test_before_it_is_routed_a_cascade_is_empty_and_not_done() -> None:
    empty = tree([])
    assert (empty.root, empty.done, empty.failed, empty.runs) == (None, False, False, [])


def test_a_cascade_shows_steps_to_come() -> None:
    cascade = tree([routed(FIRST)], (FIRST, [FIRST.started()]))
    assert cascade.root is not None
    assert cascade.root.data == {"title": "boom"}
    assert [(s.name, s.progress, s.attempts, s.duration_s) for s in cascade.steps] == [
        ("look", "running", 0, None),
        ("sort", "waiting", 0, None),
    ]
    assert not cascade.done


def test_a_run_that_is_routed_but_not_begun_is_shown_without_steps() -> None:
    [run] = tree([routed(FIRST)]).runs
    assert (run.workflow, run.started_at, run.outcome, run.steps) == ("triage", None, None, ())


def test_a_cascade_is_not_done_while_an_emitted_event_is_not_routed() -> None:
    cascade = tree([routed(FIRST)], (FIRST, FIRST_DONE))
    assert [(e.type, e.routed, e.data) for e in cascade.events] == [
        ("Incident", True, {"title": "boom"}),
        ("WorkItem", False, {"n": 1}),
    ]
    assert not cascade.done


def test_a_cascade_is_done_when_every_event_is_routed_and_every_run_ended() -> None:
    second: list[Record] = [SECOND.started(), SECOND.failed("fix", detail="no tests"), SECOND.succeeded("fix", 2)]
    routes = [routed(FIRST), routed(SECOND)]
    under_way = tree(routes, (FIRST, FIRST_DONE), (SECOND, second))
    assert not under_way.done
    cascade = tree(routes, (FIRST, FIRST_DONE), (SECOND, [*second, ended(SECOND)]))
    assert cascade.done
    assert not cascade.failed
    assert [run.workflow for run in cascade.runs] == ["triage", "resolve"]
    assert cascade.root is not None
    look = cascade.root.runs[0].steps[0]
    assert (look.output, look.duration_s, look.emitted[0].id) == ({"cause": "x"}, 2.0, ITEM)
    fix = look.emitted[0].runs[0].steps[0]
    assert (fix.progress, fix.attempts, fix.duration_s, fix.detail) == ("succeeded", 2, 2.0, "")


def test_a_step_that_will_be_retried_says_why_its_last_attempt_failed() -> None:
    cascade = tree([routed(FIRST)], (FIRST, [FIRST.started(), FIRST.failed("look", detail="no answer")]))
    assert [(s.progress, s.attempts, s.detail) for s in cascade.steps] == [
        ("retrying", 1, "no answer"),
        ("waiting", 0, ""),
    ]


def test_the_steps_of_a_cancelled_run_neither_run_nor_wait_any_more() -> None:
    [run] = tree([routed(FIRST)], (FIRST, [FIRST.started(), FIRST.cancelled(), ended(FIRST, "cancelled")])).runs
    assert [(step.name, step.progress) for step in run.steps] == [("look", "cancelled"), ("sort", "cancelled")]


def test_a_failed_run_fails_the_cascade_and_shows_what_it_blocks() -> None:
    journal: list[Record] = [
        FIRST.started(),
        FIRST.failed("look", retryable=False, detail="no answer"),
        ended(FIRST, "failed"),
    ]
    cascade = tree([routed(FIRST)], (FIRST, journal))
    assert cascade.done
    assert cascade.failed
    assert [(s.name, s.progress, s.detail) for s in cascade.steps] == [
        ("look", "failed", "no answer"),
        ("sort", "blocked", ""),
    ]


def test_a_refused_run_fails_the_cascade() -> None:
    refused = EventRouted("e1", "Incident", "e1", PLAN, NOW, (), (Refusal("triage", "cascade_runs", 1),))
    cascade = tree([refused])
    assert cascade.done
    assert cascade.failed


def test_without_the_plan_the_facts_alone_are_shown() -> None:
    cascade = tree([routed(FIRST), routed(SECOND)], (FIRST, FIRST_DONE), (SECOND, [SECOND.started()]), plans={})
    assert [(s.name, s.progress) for s in cascade.steps] == [("look", "succeeded"), ("sort", "succeeded")]
    assert [run.workflow for run in cascade.runs] == ["triage", "resolve"]


def test_a_strangers_event_that_claims_the_cascade_is_another_root() -> None:
    strange = EventRouted("e7", "Incident", "e1", PLAN, NOW)
    cascade = tree([strange, routed(FIRST), routed(SECOND)], (FIRST, FIRST_DONE), (SECOND, [SECOND.started()]))
    assert [root.id for root in cascade.roots] == ["e1", "e7"]
