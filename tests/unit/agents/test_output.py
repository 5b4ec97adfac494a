"""An answer counts whole or not at all."""

from typing import Any

import pytest

from loopy.agents.harness import Reply
from loopy.agents.output import settle
from loopy.compiler.plan import Fields
from loopy.runs.records import Emitted
from loopy.types.check import Mismatch
from tests.support.assignments import ITEM, assigned

OUTPUT: Fields = {"verdict": "enum[pass, fail]", "notes": "str?"}
GOOD = {"link": "https://example.com/1", "title": "t"}
STEP = assigned(OUTPUT, {"WorkItem": ITEM, "Shipped": {"goal_id": "id"}})


def problems(output: Any = None, emits: Any = None) -> dict[str, str]:
    with pytest.raises(Mismatch) as caught:
        settle(STEP.step, STEP.events, Reply(output, emits))
    return {problem.path: problem.reason for problem in caught.value.problems}


def test_a_good_answer_is_given_in_the_order_of_the_declaration() -> None:
    emits = {"Shipped": [{"goal_id": "g"}], "WorkItem": [GOOD, {**GOOD, "title": "u"}]}
    output, emitted = settle(STEP.step, STEP.events, Reply({"verdict": "pass"}, emits))
    assert output == {"verdict": "pass", "notes": None}
    assert emitted == (
        Emitted("WorkItem", GOOD),
        Emitted("WorkItem", {**GOOD, "title": "u"}),
        Emitted("Shipped", {"goal_id": "g"}),
    )


def test_nothing_need_be_emitted() -> None:
    assert settle(STEP.step, STEP.events, Reply({"verdict": "pass"})) == ({"verdict": "pass", "notes": None}, ())


def test_a_step_without_output_needs_none() -> None:
    assert settle(assigned().step, {}, Reply()) == ({}, ())


def test_every_problem_is_named_at_its_place() -> None:
    found = problems({"verdict": "maybe", "note": "x"}, {"WorkItem": [GOOD, {"title": 3}], "Shiped": []})
    assert set(found) == {
        "output.verdict",
        "output.note",
        "emits.Shiped",
        "emits.WorkItem[1].link",
        "emits.WorkItem[1].title",
    }
    assert "did you mean `Shipped`?" in found["emits.Shiped"]


@pytest.mark.parametrize("output", [None, {}])
def test_missing_output_is_named_field_by_field(output: Any) -> None:
    assert list(problems(output)) == ["output.verdict"]


@pytest.mark.parametrize("output", [[], "pass", 1, [{"verdict": "pass"}]])
def test_output_is_a_map(output: Any) -> None:
    assert list(problems(output)) == ["output"]


@pytest.mark.parametrize(
    ("emits", "path"),
    [
        ([], "emits"),
        ({"WorkItem": GOOD}, "emits.WorkItem"),
        ({"WorkItem": None}, "emits.WorkItem"),
        ({"WorkItem": ["x"]}, "emits.WorkItem[0]"),
        ({"WorkItem": [GOOD] * 4}, "emits.WorkItem"),
        ({"Incident": []}, "emits.Incident"),
    ],
)
def test_emits_has_the_declared_shape(emits: Any, path: str) -> None:
    assert list(problems({"verdict": "pass"}, emits)) == [path]


def test_a_step_that_emits_nothing_says_so() -> None:
    with pytest.raises(Mismatch, match="the step emits nothing"):
        settle(assigned().step, {}, Reply({}, {"WorkItem": []}))
