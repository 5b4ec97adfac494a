"""A cascade as it is told, line by line and as a tree, from facts alone."""

import io
from datetime import UTC

import msgspec
import pytest

from loopy.cli.cascade_display import Display, LiveDisplay, summary
from loopy.cli.cascade_tree import Branch, cascade_branches, drawn
from loopy.cli.fact_lines import told
from loopy.cli.screen import Screen, clock_time, line, plain
from loopy.cli.seen_facts import SeenFacts
from loopy.runs.ids import emitted_id, run_id
from loopy.runs.records import EventRouted, Record, Refusal, RoutedRun, RunEnded, StepSkipped
from tests.support.facts import NOW, PLAN, WORK, Facts, at, emitted, event, plan, step, workflow

TRIAGE = workflow(step("investigate", emits=WORK), name="triage")
RESOLVE = workflow(step("fix"), step("ship", "fix"), name="resolve", on="WorkItem")


def routed(identity: str, kind: str, cascade: str, *workflows: str) -> EventRouted:
    runs = tuple(RoutedRun(run_id(name, identity), name) for name in workflows)
    return EventRouted(identity, kind, cascade, PLAN, NOW, runs)


def ended(facts: Facts, outcome: str = "succeeded", **why: str) -> RunEnded:
    return msgspec.convert(
        {
            "record": "RunEnded",
            "run": facts.run,
            "workflow": facts.workflow.name,
            "outcome": outcome,
            "at": at(2),
            **why,
        },
        RunEnded,
    )


def whole_cascade() -> list[Record]:
    """Incident → triage → WorkItem → resolve, whose second step fails."""
    first = Facts(TRIAGE, event())
    item = emitted_id(first.run, "investigate", 0, "WorkItem", 0)
    second = Facts(RESOLVE, event(item, "WorkItem", cascade="e1", hops=1, data={"link": "l"}))
    return [
        routed("e1", "Incident", "e1", "triage"),
        first.started(),
        first.succeeded("investigate", emits=(emitted("WorkItem", link="l"),), root_cause="null"),
        routed(item, "WorkItem", "e1", "resolve"),
        ended(first),
        second.started(),
        second.succeeded("fix"),
        second.failed("ship", retryable=False, detail="no key"),
        ended(second, "failed", step="ship", detail="no key"),
    ]


def shown_plainly(records: list[Record], only: str | None = None) -> list[str]:
    stream = io.StringIO()
    display = Display(Screen(stream), {PLAN: plan(TRIAGE, RESOLVE)}, only)
    for record in records:
        display.see(record)
    return stream.getvalue().splitlines()


def test_each_fact_is_a_line_in_its_order() -> None:
    records = whole_cascade()
    item = emitted_id(run_id("triage", "e1"), "investigate", 0, "WorkItem", 0)
    noon = clock_time(NOW.astimezone(UTC))
    assert shown_plainly(records) == [
        f"{noon}  Incident  e1  test → triage",
        "  triage/investigate        ✓ 1.00s  root_cause=null",
        "  → WorkItem  link=l",
        f"  triage                    ✓ succeeded  2.00s  run {run_id('triage', 'e1')[:8]}",
        f"{noon}  WorkItem  {item[:8]}  test → resolve",
        "  resolve/fix               ✓ 1.00s",
        "  resolve/ship              ✗ 1.00s  attempt 1: bad_output: no key",
        f"  resolve                   ✗ failed  2.00s  ship: no key  run {run_id('resolve', item)[:8]}",
    ]


def test_a_cascade_is_done_with_its_last_fact_and_not_before() -> None:
    display = Display(Screen(io.StringIO()), {PLAN: plan(TRIAGE, RESOLVE)})
    *earlier, last = whole_cascade()
    assert [display.see(record) for record in earlier] == [None] * len(earlier)
    done = display.see(last)
    assert done is not None
    assert done.failed
    assert plain(summary(done)) == "✗ failed  2 runs · 2 steps · 2 events in 2.00s"


def test_other_cascades_can_be_left_out() -> None:
    stranger = routed("e2", "Incident", "e2")
    assert shown_plainly([stranger], only="e1") == []
    assert len(shown_plainly([stranger], only="e2")) == 1


def test_an_event_that_starts_nothing_says_so() -> None:
    assert shown_plainly([routed("e1", "GoalShipped", "e1")])[0].endswith("GoalShipped  e1  starts no workflow")


def test_a_limit_that_stops_a_workflow_is_named() -> None:
    fact = EventRouted("e1", "Incident", "e1", PLAN, NOW, refused=(Refusal("triage", "cascade_hops", 16),))
    heading, limit = shown_plainly([fact])
    assert heading.endswith("Incident  e1  held back")
    assert limit == "  ✗ triage not started: the limit of 16 hops in one cascade"


def test_a_skipped_step_says_why() -> None:
    facts = Facts(RESOLVE, event("e1", "WorkItem"))
    skipped = StepSkipped(facts.run, "resolve", "ship", NOW, "when")
    lines = shown_plainly([routed("e1", "WorkItem", "e1", "resolve"), facts.started(), skipped])
    assert lines[-1] == "  resolve/ship              – skipped: its `when` is false"


def test_facts_of_a_run_whose_beginning_was_missed_are_told_all_the_same() -> None:
    facts = Facts(TRIAGE)
    assert shown_plainly([facts.succeeded("investigate"), ended(facts)])[0].startswith("  triage/investigate")


def test_the_tree_shows_what_is_still_to_come() -> None:
    seen = SeenFacts({PLAN: plan(TRIAGE, RESOLVE)})
    for record in whole_cascade()[:7]:
        seen.add(record)
    (branch,) = cascade_branches(seen.cascade("e1"))
    item = emitted_id(run_id("triage", "e1"), "investigate", 0, "WorkItem", 0)
    assert [plain(each) for each in drawn(branch)] == [
        "Incident  e1",
        f"└── triage  ✓ succeeded  2.00s  run {run_id('triage', 'e1')[:8]}",
        "    └── ✓ investigate  1.00s  root_cause=null",
        f"        └── → WorkItem  {item[:8]}",
        f"            └── resolve  ● running  run {run_id('resolve', item)[:8]}",
        "                ├── ✓ fix  1.00s",
        "                └── ● ship",
    ]


def test_a_tree_is_drawn_with_every_branch_attached() -> None:
    leaf = Branch(line("leaf"))
    tree = Branch(line("root"), (Branch(line("a"), (leaf,)), Branch(line("b"))))
    assert [plain(each) for each in drawn(tree)] == ["root", "├── a", "│   └── leaf", "└── b"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def test_on_a_terminal_the_finished_tree_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "90")
    stream = Terminal()
    with LiveDisplay(Screen(stream), {PLAN: plan(TRIAGE, RESOLVE)}) as display:
        for record in whole_cascade():
            display.see(record)
    shown = stream.getvalue()
    assert shown.count("Incident") == 1, "the finished tree is drawn once"
    assert "✗ ship" in shown


def test_told_gives_nothing_for_a_second_run_of_the_same_event() -> None:
    seen = SeenFacts({})
    other = workflow(step("look"), name="zeta")
    seen.add(routed("e1", "Incident", "e1", "triage", "zeta"))
    first, second = Facts(TRIAGE).started(), Facts(other).started()
    seen.add(first)
    seen.add(second)
    assert plain(told(first, seen)[0]).endswith("test → triage, zeta")
    assert told(second, seen) == []
