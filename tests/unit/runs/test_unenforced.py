import msgspec

from loopy.compiler.plan import Budget, Concurrency, Expectation, Limits, Plan
from loopy.runs.unenforced import unenforced
from tests.support.facts import plan, step, workflow


def test_a_plan_that_declares_nothing_special_has_nothing_unenforced() -> None:
    assert unenforced(plan(workflow(step("a"), step("b", "a")))) == []


def declares_everything() -> Plan:
    flow = msgspec.structs.replace(
        workflow(step("a", budget=Budget(spend_usd=4), priority=9)), concurrency=Concurrency("deploys")
    )
    limits = Limits(cascade_usd=50, day_usd=500, workflow_usd={"w": 20}, workflow_concurrency={"w": 4})
    return msgspec.structs.replace(
        plan(flow, limits=limits), expectations=(Expectation("Incident", "GoalShipped", 14400),)
    )


def test_everything_that_has_no_effect_is_named() -> None:
    assert unenforced(declares_everything()) == [
        "step `w/a`: `priority: 9` is not enforced",
        "registry `expect: Incident → GoalShipped` is not watched",
    ]
