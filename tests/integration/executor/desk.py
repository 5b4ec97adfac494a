"""What the executor's tests need: a project whose agents are shell scripts, attempts to publish, facts to read."""

import asyncio
from pathlib import Path
from typing import Any, TypeVar

from loopy.bus.client import Bus
from loopy.bus.codec import read_record, record_message
from loopy.bus.streams import RUNS
from loopy.compiler.plan import Agent, Emission, EventTrigger, Fields, Plan, Sandbox, Step, Workflow, plan_hash
from loopy.runs.records import AttemptFailed, AttemptRequested, AttemptSucceeded, Record
from tests.support import assignments

ITEM: Fields = {"link": "url"}
T = TypeVar("T", bound=Record)


def planned(script: str = "echo '{}'", *, prose: str = "Fix it.", **changes: Any) -> Plan:
    """A plan of one workflow `resolve` with the step `fix`, whose agent is this shell script."""
    step_fields = {name: changes.pop(name) for name in ("output", "emits", "workspace") if name in changes}
    agent = Agent("Fixer", **{"runtime": "command", "run": ("sh", "-c", script), "sandbox": "here", **changes})
    step = Step("fix", "workflows/resolve/fix.md", "Fixer", prose, **step_fields)
    return Plan(
        workflows={"resolve": Workflow("resolve", EventTrigger("WorkItem"), (step,))},
        events={"WorkItem": ITEM},
        agents={"Fixer": agent},
        sandboxes={"here": Sandbox("here", isolation="none"), "far": Sandbox("far", provider="nowhere")},
    )


def emitting(event: str = "WorkItem") -> tuple[Emission, ...]:
    """What a step emits."""
    return (Emission(event),)


def requested(plan: Plan, run: str = "r1", **changes: Any) -> AttemptRequested:
    """The first attempt of resolve/fix in a run."""
    return assignments.requested(run=run, plan=plan_hash(plan), **changes)


async def publish(bus: Bus, *records: Record) -> None:
    """Put records on the bus."""
    for record in records:
        await bus.publish_once(record_message(bus.subjects, record))


async def fact(bus: Bus, subject: str, kind: type[T]) -> T:
    """The fact on a subject, as soon as it is there."""
    async with asyncio.timeout(20):
        async for message in bus.read(RUNS, [subject], follow=True):
            record = read_record(message)
            assert isinstance(record, kind), record
            return record
    raise AssertionError


async def done(bus: Bus, run: str = "r1") -> AttemptSucceeded:
    """The success of resolve/fix, as soon as it is there."""
    return await fact(bus, bus.subjects.result(run, "fix", 0, 1), AttemptSucceeded)


async def failure(bus: Bus, run: str = "r1", attempt: int = 1) -> AttemptFailed:
    """The failure of resolve/fix, as soon as it is there."""
    return await fact(bus, bus.subjects.result(run, "fix", 0, attempt), AttemptFailed)


def alive(pid: str) -> bool:
    """Whether there is such a process, be it a zombie."""
    return Path("/proc", pid).exists()
