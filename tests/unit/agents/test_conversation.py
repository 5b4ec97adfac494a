"""What follows from what a model says."""

import pytest

from loopy.agents.conversation import (
    MOST_REMINDERS,
    SUBMIT,
    Answered,
    Failed,
    GoOn,
    Judge,
    Remind,
    Said,
    Text,
    ToolCall,
    Use,
)
from tests.support.assignments import ITEM, assigned

GIVEN = assigned({"n": "int"}, {"WorkItem": ITEM})
LOOK = ToolCall("1", "bash", {"command": "ls"})
RIGHT, WRONG = ToolCall("2", SUBMIT, {"output": {"n": 1}}), ToolCall("3", SUBMIT, {"output": {"n": "one"}})


@pytest.fixture
def judge() -> Judge:
    return Judge(GIVEN.step, GIVEN.events)


def test_tools_are_used(judge: Judge) -> None:
    assert judge.next(Said((Text("Let me see."), LOOK), "tool_use")) == Use((LOOK,), {})


def test_an_answer_of_the_steps_types_ends_the_work_whatever_else_was_wanted(judge: Judge) -> None:
    answered = judge.next(Said((LOOK, RIGHT), "tool_use"))
    assert isinstance(answered, Answered)
    assert answered.reply.output == {"n": 1}


def test_a_wrong_answer_is_told_why_and_other_tools_are_used_besides(judge: Judge) -> None:
    use = judge.next(Said((LOOK, WRONG), "tool_use"))
    assert isinstance(use, Use)
    assert use.calls == (LOOK,)
    assert "output.n" in use.told["3"]


@pytest.mark.parametrize("wrong", [["x"], None, {"output": {"n": 1}, "emits": {"Unknown": [{}]}}, {"emits": 1}])
def test_what_is_no_answer_is_a_wrong_one(judge: Judge, wrong: object) -> None:
    assert isinstance(judge.next(Said((ToolCall("1", SUBMIT, wrong),), "tool_use")), Use)


@pytest.mark.parametrize(
    ("said", "reason"),
    [(Said((WRONG,), "tool_use"), "bad_output"), (Said((Text("Done."),), "end_turn"), "no_answer")],
)
def test_patience_ends(judge: Judge, said: Said, reason: str) -> None:
    for _ in range(MOST_REMINDERS):
        assert isinstance(judge.next(said), Use | Remind)
    failed = judge.next(said)
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.retryable) == (reason, True)


def test_what_was_cut_off_is_not_done(judge: Judge) -> None:
    reminded = judge.next(Said((LOOK,), "max_tokens"))
    assert isinstance(reminded, Remind)
    assert "cut off" in reminded.text


def test_a_pause_is_no_end_and_a_refusal_is(judge: Judge) -> None:
    assert judge.next(Said((), "pause_turn")) == GoOn()
    failed = judge.next(Said((Text("No."),), "refusal"))
    assert isinstance(failed, Failed)
    assert not failed.retryable
