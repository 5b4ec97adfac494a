"""Edits of what a run's steps are given when they run again: held against the types of the plan. Pure."""

from collections.abc import Iterable, Mapping

import msgspec

from loopy.compiler.plan import Fields, Plan, Workflow
from loopy.diagnostics.suggest import did_you_mean
from loopy.runs.records import AttemptSucceeded, Data
from loopy.runs.standing import standings
from loopy.runs.state import RunState
from loopy.types.check import Mismatch, checker_of

EVENT = "event"


class Refused(msgspec.Struct, frozen=True):
    """Why something cannot be done with a run, as what follows "run X: "; `hint` is what to do instead, or empty."""

    why: str
    hint: str = ""


def and_after(workflow: Workflow, first: Iterable[str]) -> tuple[str, ...]:
    """These steps and all that come after them, in the order of the plan."""
    found = set(first)
    for step in workflow.steps:
        if not found.isdisjoint(step.after):
            found.add(step.name)
    return tuple(step.name for step in workflow.steps if step.name in found)


def declared_fields(plan: Plan, workflow: Workflow, event_type: str, place: str) -> Fields | Refused:
    """The fields that can be edited under a name: `event`, or a step."""
    if place == EVENT:
        fields = plan.events.get(event_type)
        return fields if fields is not None else Refused("a schedule started it, so its event has nothing to edit")
    step = next((step for step in workflow.steps if step.name == place), None)
    if step is None:
        names = [EVENT, *(step.name for step in workflow.steps)]
        hint = did_you_mean(place, names) or f"edit {', '.join(names)}"
        return Refused(f"neither the event nor a step of `{workflow.name}` is called `{place}`", hint)
    return step.output


def checked_edits(
    plan: Plan, workflow: Workflow, state: RunState, steps: Iterable[str], edits: Mapping[str, Data]
) -> dict[str, Data] | Refused:
    """The edits as they are recorded, for a run of which these steps run again; or what is wrong with one of them."""
    checked: dict[str, Data] = {}
    for place, edit in edits.items():
        one = _checked(plan, workflow, state, frozenset(steps), place, edit)
        if isinstance(one, Refused):
            return one
        checked[place] = one
    return checked


def _checked(
    plan: Plan, workflow: Workflow, state: RunState, steps: frozenset[str], place: str, edit: Data
) -> Data | Refused:
    assert state.started is not None
    event = state.started.event
    fields = declared_fields(plan, workflow, event.type, place)
    if isinstance(fields, Refused):
        return fields
    for name in edit:
        if name not in fields:
            hint = did_you_mean(name, fields) or f"it has {', '.join(fields) or 'no fields'}"
            return Refused(f"`{place}` has no field `{name}`", hint)
    given = event.data if place == EVENT else _output(workflow, state, steps, place)
    if isinstance(given, Refused):
        return given
    try:
        whole: Data = checker_of(fields).check({**given, **edit})
    except Mismatch as mismatch:
        told = "; ".join(f"{problem.path or place}: {problem.reason}" for problem in mismatch.problems)
        return Refused(f"`{place}` cannot be edited so: {told}")
    return {name: whole.get(name) for name in edit}


def _output(workflow: Workflow, state: RunState, steps: frozenset[str], place: str) -> Data | Refused:
    """What a step gave; it must be an input of what runs again."""
    if place in steps:
        return Refused(f"step `{place}` runs again itself, so its output cannot be edited")
    result = standings(workflow, state)[place].result
    if not isinstance(result, AttemptSucceeded):
        return Refused(f"step `{place}` has no output to edit: it has not succeeded")
    if steps.isdisjoint(and_after(workflow, (place,))):
        return Refused(f"step `{place}` comes before none of the steps that run again ({', '.join(sorted(steps))})")
    return result.output
