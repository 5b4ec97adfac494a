"""What the executor decides without waiting for anything."""

from datetime import timedelta

import pytest

from loopy.agents.harness import HarnessError, Reply
from loopy.bus.sizes import room_for
from loopy.bus.subjects import Subjects
from loopy.compiler.plan import Agent, Emission, EventTrigger, Plan, Step, Workflow
from loopy.runs.records import AttemptFailed, Usage
from loopy_services.executor import core
from tests.support.assignments import AT, ITEM, requested

PLAN = Plan(
    workflows={
        "resolve": Workflow(
            "resolve",
            EventTrigger("WorkItem"),
            (
                Step(
                    "fix",
                    "workflows/resolve/fix.md",
                    "Fixer",
                    "Fix {{ event.title }} as {{ check.how }}.",
                    output={"ok": "bool"},
                    emits=(Emission("WorkItem"),),
                ),
            ),
        )
    },
    events={"WorkItem": ITEM},
    agents={"Fixer": Agent("Fixer", "claude-code", role="You mend.", sandbox="far")},
)
REQUEST = requested(inputs={"check": {"how": "told"}})


def test_an_assignment_has_the_whole_prompt_and_the_types() -> None:
    assignment = core.assign(PLAN, REQUEST, PLAN.agents["Fixer"], 7, {"output": {}})
    assert assignment.prompt.startswith("You mend.\n\nFix broken as told.\n\n## Your answer")
    assert assignment.events == {"WorkItem": ITEM}
    assert (assignment.lease, assignment.hint) == (7, {"output": {}})


def test_a_rehearsal_changes_the_runtime_and_nothing_else() -> None:
    agent = core.agent_of(PLAN, REQUEST, rehearse=True)
    assert (agent.name, agent.runtime, agent.role) == ("Fixer", "rehearsal", "You mend.")
    assert core.agent_of(PLAN, REQUEST, rehearse=False) == PLAN.agents["Fixer"]


def test_prose_that_cannot_be_rendered_names_its_file() -> None:
    with pytest.raises(HarnessError, match=r"workflows/resolve/fix\.md") as caught:
        core.assign(PLAN, requested(), PLAN.agents["Fixer"], 7)
    assert (caught.value.reason, caught.value.retryable) == ("bad_prompt", False)


def test_an_answer_of_the_wrong_type_is_tried_again() -> None:
    assignment = core.assign(PLAN, REQUEST, PLAN.agents["Fixer"], 7)
    with pytest.raises(HarnessError, match=r"output\.ok: .*; emits\.Other: ") as caught:
        core.settled(assignment, Reply({"ok": 1}, {"Other": []}))
    assert (caught.value.reason, caught.value.retryable) == ("bad_output", True)


def test_facts_say_who_when_and_what() -> None:
    taking = core.Taking(REQUEST, "host-1-ab", AT, 7)
    answer = core.Settled({"ok": True}, (), Usage(input_tokens=3))
    success = core.succeeded(taking, AT + timedelta(seconds=2), answer)
    assert (success.run, success.step, success.attempt, success.executor) == ("r1", "fix", 1, "host-1-ab")
    assert success.at - success.started_at == timedelta(seconds=2)
    assert (success.output, success.usage, success.lease) == ({"ok": True}, Usage(input_tokens=3), 7)
    used = Usage(spend_usd=0.5)
    error = HarnessError("exit_code", "broken", retryable=False, usage=used)
    assert core.failed(taking, AT, error) == AttemptFailed(
        "r1", "resolve", "fix", 1, "host-1-ab", AT, AT, "exit_code", "broken", False, used, lease=7
    )


def test_a_long_detail_keeps_its_beginning_and_its_end() -> None:
    text = core.shortened("a" * 5000 + "z" * 5000)
    assert text == "a" * 2000 + " … " + "z" * 2000
    assert core.shortened("a" * 4000) == "a" * 4000


def test_an_answer_beyond_what_may_be_stored_is_a_failure_that_names_size_and_limit() -> None:
    core.hold_size(room_for(1_000_000), 1_000_000)
    with pytest.raises(HarnessError, match="the answer takes 1,000,000 bytes; it may take 991,808 "):
        core.hold_size(1_000_000, 1_000_000)


def test_an_attempt_is_settled_by_its_step_its_failure_or_the_runs_end() -> None:
    assert core.settling_facts(Subjects("ns"), requested(attempt=2)) == (
        "ns.run.result.r1.fix.0.2",
        "ns.run.end.r1._._",
        "ns.run.cancel.r1._._",
        "ns.run.resume.r1.>",
    )


def test_executors_are_told_apart() -> None:
    assert core.executor_name("host", 7, "ab12") == "host-7-ab12"
