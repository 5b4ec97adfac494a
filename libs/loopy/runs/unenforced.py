"""What a plan declares and this version of Loopy accepts but does not enforce, so that a start can say so plainly."""

from collections.abc import Iterator

from loopy.compiler.plan import Plan

DEFAULT_PRIORITY = 5


def unenforced(plan: Plan, *, rehearse: bool = False) -> list[str]:
    """One sentence for each declaration that has no effect when the plan runs; none is the rule.

    A rehearsal spends nothing, so limits of spend are kept there.
    """
    spend = () if rehearse else _spend(plan)
    return [*_concurrency(plan), *spend, *_steps(plan), *_expectations(plan)]


def _concurrency(plan: Plan) -> Iterator[str]:
    for workflow in plan.workflows.values():
        if workflow.concurrency is not None:
            yield f"workflow `{workflow.name}`: `concurrency` is not enforced: its runs may overlap"
    for name, limit in plan.limits.workflow_concurrency.items():
        yield f"registry `limits.workflows.{name}.concurrency: {limit}` is not enforced"


def _spend(plan: Plan) -> Iterator[str]:
    limits = plan.limits
    if limits.cascade_usd is not None:
        yield f"registry `limits.cascade.spend: {limits.cascade_usd:g} USD` is not enforced"
    if limits.day_usd is not None:
        yield f"registry `limits.day.spend: {limits.day_usd:g} USD` is not enforced"
    for name, usd in limits.workflow_usd.items():
        yield f"registry `limits.workflows.{name}.spend: {usd:g} USD` is not enforced"
    for workflow in plan.workflows.values():
        for step in workflow.steps:
            if step.budget.spend_usd is not None:
                spend = f"`budget.spend: {step.budget.spend_usd:g} USD`"
                yield f"step `{workflow.name}/{step.name}`: {spend} is not enforced"


def _steps(plan: Plan) -> Iterator[str]:
    for workflow in plan.workflows.values():
        for step in workflow.steps:
            if step.priority != DEFAULT_PRIORITY:
                yield f"step `{workflow.name}/{step.name}`: `priority: {step.priority}` is not enforced"


def _expectations(plan: Plan) -> Iterator[str]:
    for expectation in plan.expectations:
        yield f"registry `expect: {expectation.first} → {expectation.then}` is not watched"
