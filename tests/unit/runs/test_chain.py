"""Deciding by a result alone: only where every other step lies before or after, and then as the journal would."""

from itertools import pairwise

import msgspec
import pytest

from loopy.compiler.plan import Workflow
from loopy.runs.chain import deciding_alone, standings_before, state_before
from loopy.runs.decide import decide
from loopy.runs.records import AttemptSucceeded, Carried, Data, Record
from loopy.runs.state import fold
from tests.support.facts import NOW, PLAN, Facts, step, workflow
from tests.unit.runs.test_decide import CHAIN, DIAMOND


@pytest.mark.parametrize(
    ("flow", "alone"),
    [
        (CHAIN, {"a", "b", "c"}),
        (DIAMOND, {"a", "d"}),
        (workflow(step("a"), step("b", "a"), step("c", "a")), {"a"}),
        (workflow(step("a"), step("b", "a"), step("c", "a", "b")), {"a", "b", "c"}),
        (workflow(step("a"), step("b", "a"), step("c", "b"), step("d", "a"), step("e", "c", "d")), {"a", "e"}),
    ],
)
def test_a_step_decides_alone_when_all_others_come_before_it_or_after_it(flow: Workflow, alone: set[str]) -> None:
    assert deciding_alone(flow) == alone


def carrying(f: Facts, success: AttemptSucceeded, **inputs: Data | None) -> AttemptSucceeded:
    return msgspec.structs.replace(success, carried=Carried(PLAN, f.event, inputs, "seal"))


def test_what_follows_is_the_same_as_by_the_journal() -> None:
    flow = workflow(
        step("a"), step("b", "a", when="a.go == true"), step("c", "a", "b"), step("d", "c", when="c.n == 2")
    )
    f = Facts(flow)
    for go, outcome in ((True, 2), (False, 2), (True, 3)):
        facts: list[Record] = [f.started(), f.succeeded("a", go=go), *([f.succeeded("b", m=1)] if go else [])]
        last = f.succeeded("c", n=outcome)
        of = carrying(f, last, a={"go": go}, b={"m": 1} if go else None)
        alone = state_before(of)
        assert alone is not None
        by_journal = decide(flow, fold(f.run, facts), last, NOW)
        assert decide(flow, alone, last, NOW, standings_before(flow, of, alone)) == by_journal
        assert decide(flow, alone, last, NOW) == by_journal


def test_a_long_chain_goes_on_alone_with_the_outputs_of_all_steps_upstream() -> None:
    names = "abcde"
    flow = workflow(step("a"), *(step(name, before) for before, name in pairwise(names)))
    f = Facts(flow)
    facts: list[Record] = [f.started()]
    inputs: dict[str, Data | None] = {}
    for number, name in enumerate(names):
        success = f.succeeded(name, n=number)
        of = carrying(f, success, **inputs)
        alone = state_before(of)
        assert alone is not None
        by_journal = decide(flow, fold(f.run, facts), success, NOW)
        assert decide(flow, alone, success, NOW, standings_before(flow, of, alone)) == by_journal
        facts.append(success)
        inputs[name] = success.output


def test_nothing_is_known_where_nothing_was_carried_or_the_step_ran_again() -> None:
    f = Facts(CHAIN)
    assert state_before(f.succeeded("a")) is None
    assert state_before(carrying(f, f.succeeded("a", epoch=1))) is None
