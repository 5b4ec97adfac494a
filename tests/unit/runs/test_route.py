from datetime import timedelta

import pytest

from loopy.compiler.plan import CronTrigger, Limits
from loopy.runs.ids import run_id
from loopy.runs.records import EventRouted, Refusal, RoutedRun, RunStarted
from loopy.runs.route import Beginning, firing_event, nowhere, route, starts
from tests.support.facts import NOW, PLAN, event, plan, step, workflow

TRIAGE, LOG = workflow(step("a"), name="triage"), workflow(step("a"), name="log")
OTHER = workflow(step("a"), name="other", on="WorkItem")
NIGHTLY = workflow(step("a"), name="nightly", on=CronTrigger("0 0 * * *"))
PROJECT = plan(TRIAGE, LOG, OTHER, NIGHTLY)


def routed(identity: str, runs: int, cascade: str = "root") -> EventRouted:
    made = tuple(RoutedRun(f"{identity}-{n}", "w") for n in range(runs))
    return EventRouted(identity, "Incident", cascade, PLAN, NOW, made)


def test_an_event_starts_every_workflow_that_is_on_it() -> None:
    found = route(PROJECT, PLAN, event("e1"), [], NOW)
    assert found == EventRouted(
        "e1",
        "Incident",
        "e1",
        PLAN,
        NOW,
        (RoutedRun(run_id("log", "e1"), "log"), RoutedRun(run_id("triage", "e1"), "triage")),
    )
    assert starts(PROJECT, event("e1"), found) == [
        Beginning(RunStarted(run.run, run.workflow, PLAN, event("e1"), NOW)) for run in found.runs
    ]


def test_an_event_that_no_workflow_is_on_starts_nothing() -> None:
    assert route(PROJECT, PLAN, event(kind="GoalShipped"), [], NOW).runs == ()


def test_an_event_keeps_its_route_though_the_plan_has_changed() -> None:
    known = routed("e1", 1)
    assert route(PROJECT, PLAN, event("e1", cascade="root", hops=1), [routed("e0", 3), known], NOW) is known


@pytest.mark.parametrize(("started", "allowed"), [(0, 2), (8, 2), (9, 1), (10, 0), (11, 0)])
def test_a_cascade_has_no_more_runs_than_its_limit(started: int, allowed: int) -> None:
    project = plan(TRIAGE, LOG, limits=Limits(cascade_runs=10))
    found = route(project, PLAN, event("e1", cascade="root", hops=1), [routed("e0", started)], NOW)
    assert [run.workflow for run in found.runs] == ["log", "triage"][:allowed]
    assert found.refused == tuple(Refusal(name, "cascade_runs", 10) for name in ["log", "triage"][allowed:])


@pytest.mark.parametrize(("hops", "runs"), [(0, 2), (4, 2), (5, 0)])
def test_a_cascade_is_no_longer_than_its_limit_of_hops(hops: int, runs: int) -> None:
    project = plan(TRIAGE, LOG, limits=Limits(cascade_hops=4))
    found = route(project, PLAN, event("e1", cascade="root", hops=hops), [], NOW)
    assert len(found.runs) == runs
    assert found.refused == (() if runs else (Refusal("log", "cascade_hops", 4), Refusal("triage", "cascade_hops", 4)))


def test_a_firing_starts_the_workflow_that_it_names_alone() -> None:
    fired = firing_event("nightly", NOW, NOW - timedelta(days=1))
    assert fired.data == {"scheduled_at": "2026-11-22T12:00:00Z", "last_run": "2026-11-21T12:00:00Z"}
    assert (fired.type, fired.cascade, fired.hops) == ("cron", fired.id, 0)
    assert [run.workflow for run in route(PROJECT, PLAN, fired, [], NOW).runs] == ["nightly"]


def test_a_firing_for_a_workflow_that_has_no_schedule_starts_nothing() -> None:
    for name in ("triage", "gone"):
        assert route(PROJECT, PLAN, firing_event(name, NOW, None), [], NOW).runs == ()


def test_an_event_that_was_set_aside_leads_nowhere() -> None:
    assert nowhere(PLAN, event("e1"), [], NOW) == EventRouted("e1", "Incident", "e1", PLAN, NOW)
    known = routed("e1", 1)
    assert nowhere(PLAN, event("e1"), [known], NOW) is known
