"""What a plan declares and this version of Loopy accepts but does not enforce, so that a start can say so plainly."""

from collections.abc import Iterator

from loopy.compiler.plan import Plan

DEFAULT_PRIORITY = 5


def unenforced(plan: Plan) -> list[str]:
    """One sentence for each declaration that has no effect when the plan runs; none is the rule."""
    return [*_steps(plan), *_expectations(plan)]


def _steps(plan: Plan) -> Iterator[str]:
    for workflow in plan.workflows.values():
        for step in workflow.steps:
            if step.priority != DEFAULT_PRIORITY:
                yield f"step `{workflow.name}/{step.name}`: `priority: {step.priority}` is not enforced"


def _expectations(plan: Plan) -> Iterator[str]:
    for expectation in plan.expectations:
        yield f"registry `expect: {expectation.first} → {expectation.then}` is not watched"
