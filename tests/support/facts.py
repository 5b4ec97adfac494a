"""Workflows, events and facts of runs, written briefly, for the tests of everything that decides about runs."""

from datetime import UTC, datetime, timedelta
from typing import Any

from loopy.compiler.plan import CronTrigger, Emission, EventTrigger, Limits, Plan, Step, Workflow
from loopy.runs.ids import run_id
from loopy.runs.records import (
    AttemptFailed,
    AttemptSucceeded,
    Emitted,
    Event,
    RunAdmitted,
    RunCancelled,
    RunEnded,
    RunFailed,
    RunPaused,
    RunResumed,
    RunStarted,
    Slot,
    Usage,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PLAN = "0123456789abcdef"


def at(seconds: float) -> datetime:
    """An instant, by the seconds since the tests' beginning of time."""
    return NOW + timedelta(seconds=seconds)


# What a step in a test may emit, where it emits anything.
WORK = (Emission("WorkItem", 10), Emission("Note"))


def step(name: str, *after: str, **declared: Any) -> Step:
    """A step, after others."""
    return Step(name=name, path=f"workflows/w/{name}.md", agent="A", prose="Work.", after=after, **declared)


def workflow(*steps: Step, name: str = "w", on: str | CronTrigger = "Incident") -> Workflow:
    """A workflow of these steps, started by an event or a schedule."""
    return Workflow(name, EventTrigger(on) if isinstance(on, str) else on, steps)


def plan(*workflows: Workflow, limits: Limits | None = None, **events: dict[str, Any]) -> Plan:
    """A plan of these workflows; the fields of events by their type."""
    return Plan(
        workflows={each.name: each for each in workflows},
        events=events or {"Incident": {"title": "str"}},
        limits=limits or Limits(),
    )


def event(identity: str = "e1", kind: str = "Incident", **given: Any) -> Event:
    """An event; the first of its cascade unless something else is said."""
    given.setdefault("cascade", identity)
    given.setdefault("data", {"title": "boom"})
    return Event(id=identity, type=kind, source="test", time=NOW, **given)


class Facts:
    """The facts of one run of a workflow, as its executors and dispatchers would record them."""

    def __init__(self, of: Workflow, trigger: Event | None = None) -> None:
        self.workflow = of
        self.event = trigger or event()
        self.run = run_id(of.name, self.event.id)

    def started(self, *slots: Slot) -> RunStarted:
        """The first fact."""
        return RunStarted(self.run, self.workflow.name, PLAN, self.event, NOW, slots)

    def succeeded(
        self,
        name: str,
        attempt: int = 1,
        emits: tuple[Emitted, ...] = (),
        took_s: float = 1,
        epoch: int = 0,
        **output: Any,
    ) -> AttemptSucceeded:
        """A step's success."""
        head = (self.run, self.workflow.name, name, attempt, "x", NOW, at(took_s))
        return AttemptSucceeded(*head, output=output, emits=emits, epoch=epoch)

    def failed(
        self,
        name: str,
        attempt: int = 1,
        took_s: float = 1,
        retryable: bool = True,
        detail: str = "no answer",
        epoch: int = 0,
        spend_usd: float = 0.0,
    ) -> AttemptFailed:
        """A failed attempt of a step."""
        head = (self.run, self.workflow.name, name, attempt, "x", NOW, at(took_s))
        return AttemptFailed(*head, "bad_output", detail, retryable, Usage(spend_usd=spend_usd), epoch)

    def admitted(self, epoch: int = 0) -> RunAdmitted:
        """The run holds its slots."""
        return RunAdmitted(self.run, self.workflow.name, epoch, NOW)

    def paused(self, epoch: int = 0) -> RunPaused:
        """Ada had the run pause."""
        return RunPaused(self.run, self.workflow.name, epoch, NOW, "ada")

    def resumed(self, epoch: int = 1, *steps: str, **edits: dict[str, Any]) -> RunResumed:
        """Ada had the run go on, with these steps run again."""
        return RunResumed(self.run, self.workflow.name, epoch, NOW, "ada", "", steps, edits)

    def cancelled(self) -> RunCancelled:
        """Ada had the run ended."""
        return RunCancelled(self.run, self.workflow.name, NOW, "ada", "no use")

    def gave_up(self, name: str, epoch: int = 0) -> RunFailed:
        """A step failed for good, and nothing else can go on."""
        return RunFailed(self.run, self.workflow.name, epoch, NOW, name, "no answer")

    def ended(self) -> RunEnded:
        """The last fact, as it is recorded by a cancel."""
        return RunEnded(self.run, self.workflow.name, "cancelled", NOW)


def emitted(kind: str, **data: Any) -> Emitted:
    """A payload that a step returned for an event."""
    return Emitted(kind, data)
