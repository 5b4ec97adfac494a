"""Attempts that are requested, and the assignments of them, to test runtimes and the executor with."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from loopy.agents.harness import Assignment
from loopy.compiler.plan import Agent, Emission, Fields, Step
from loopy.runs.records import AttemptRequested, Event

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ITEM: Fields = {"link": "url", "title": "str"}


def requested(**changes: Any) -> AttemptRequested:
    """An attempt of resolve/fix, of a run that a WorkItem started."""
    event = Event("e1", "WorkItem", "test", AT, {"link": "https://example.com/1", "title": "broken"}, "e1")
    values: dict[str, Any] = {
        "run": "r1",
        "workflow": "resolve",
        "step": "fix",
        "attempt": 1,
        "plan": "p1",
        "event": event,
        "inputs": {},
        "wall_clock_s": 60.0,
        "at": AT,
    }
    return AttemptRequested(**{**values, **changes})


def assigned(
    output: Fields | None = None,
    events: Mapping[str, Fields] | None = None,
    *,
    program: tuple[str, ...] = (),
    hint: Any = None,
    prompt: str = "Fix it.\n",
    **changes: Any,
) -> Assignment:
    """An assignment of a step with this output, which may emit these events, three payloads of each."""
    events = events or {}
    emits = tuple(Emission(name, 3) for name in events)
    step = Step("fix", "workflows/resolve/fix.md", "Fixer", "", output=output or {}, emits=emits)
    agent = Agent("Fixer", "command", run=program)
    return Assignment(requested(**changes), step, agent, prompt, events, 1, hint)
