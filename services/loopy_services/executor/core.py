"""What the executor decides: what an attempt is to be told, and which fact its end is. Nothing here waits or reads."""

from datetime import datetime
from typing import Any

import msgspec

from loopy.agents.harness import NOTHING_USED, Assignment, HarnessError, Reply
from loopy.agents.output import settle
from loopy.agents.prompt import compose
from loopy.bus.sizes import room_for
from loopy.bus.subjects import Subjects
from loopy.compiler.catalogue import PRICES, price_of
from loopy.compiler.plan import Agent, Plan
from loopy.compiler.templates import RenderError, render
from loopy.runs.records import (
    AttemptFailed,
    AttemptRequested,
    AttemptSucceeded,
    Data,
    Emitted,
    Record,
    RunResumed,
    Usage,
)
from loopy.types.check import Mismatch

REHEARSAL = "rehearsal"
DETAIL_CHARACTERS = 4000


class Settled(msgspec.Struct, frozen=True):
    """An answer that is of the step's types."""

    output: Data
    emits: tuple[Emitted, ...]
    usage: Usage


class Taking(msgspec.Struct, frozen=True):
    """An attempt as one executor took it: what was asked, by whom it is executed, since when, under which lease."""

    request: AttemptRequested
    executor: str
    started_at: datetime
    lease: int


def executor_name(host: str, process: int, suffix: str) -> str:
    """How this executor signs its facts: unique among those that live, and telling where to look."""
    return f"{host}-{process}-{suffix}"


def settling_facts(subjects: Subjects, request: AttemptRequested) -> tuple[str, ...]:
    """Where a fact would stand that may leave nothing to execute: a result, the run's end, what somebody had it do."""
    return (
        subjects.result(request.run, request.step, request.epoch, request.attempt),
        subjects.end(request.run),
        subjects.cancel(request.run),
        subjects.every("resume", request.run),
    )


def settles(request: AttemptRequested, record: Record) -> bool:
    """Whether one of these facts leaves nothing to execute."""
    if isinstance(record, RunResumed):
        return record.epoch > request.epoch and request.step in record.steps
    return True


def is_known(plan: Plan, request: AttemptRequested) -> bool:
    """Whether the plan has the step that is to be executed; a dispatcher never asks for another."""
    workflow = plan.workflows.get(request.workflow)
    return workflow is not None and any(step.name == request.step for step in workflow.steps)


def agent_of(plan: Plan, request: AttemptRequested, *, rehearse: bool) -> Agent:
    """Who executes the attempt; in a rehearsal the same agent by name, with the runtime that makes answers up."""
    agent = plan.agents[plan.workflows[request.workflow].step(request.step).agent]
    return msgspec.structs.replace(agent, runtime=REHEARSAL) if rehearse else agent


def assign(plan: Plan, request: AttemptRequested, agent: Agent, lease: int, hint: Any = None) -> Assignment:
    """The attempt with its whole prompt. HarnessError `bad_prompt` when the prose cannot be rendered."""
    step = plan.workflows[request.workflow].step(request.step)
    events = {emission.event: plan.events[emission.event] for emission in step.emits}
    try:
        prose = render(step.prose, request.event.data, request.inputs)
    except RenderError as error:
        raise HarnessError("bad_prompt", f"{step.path} cannot be rendered: {error}", retryable=False) from error
    price = price_of(agent.model, PRICES | plan.prices)
    return Assignment(request, step, agent, compose(agent, step, prose, events), events, lease, hint, price)


def settled(assignment: Assignment, reply: Reply) -> Settled:
    """The reply, held against the step's types. HarnessError `bad_output` with every problem."""
    try:
        output, emits = settle(assignment.step, assignment.events, reply)
    except Mismatch as mismatch:
        raise HarnessError("bad_output", str(mismatch), usage=reply.usage) from mismatch
    return Settled(output, emits, reply.usage)


def timed_out(request: AttemptRequested, used: Usage) -> HarnessError:
    """The attempt took all that was left of its step's wall clock, so there is nothing left for another."""
    return HarnessError(
        "timed_out",
        f"stopped after {request.wall_clock_s:g} s, all that was left of its wall clock",
        retryable=False,
        usage=used,
    )


def harness_failed(agent: Agent, error: Exception) -> HarnessError:
    """A runtime, perhaps a third party's, raised what it may not: a failure of the attempt like any other."""
    return HarnessError("harness_failed", f"runtime `{agent.runtime}` failed: {type(error).__name__}: {error}")


def hold_size(size: int, largest_value: int, usage: Usage = NOTHING_USED) -> None:
    """HarnessError when an answer of so many bytes is larger than what may be stored."""
    most = room_for(largest_value)
    if size > most:
        detail = f"the answer takes {size:,} bytes; it may take {most:,} (LOOPY_LARGEST_VALUE_BYTES)"
        raise HarnessError("bad_output", detail, usage=usage)


def succeeded(taking: Taking, at: datetime, answer: Settled) -> AttemptSucceeded:
    """The fact of an attempt that gave an answer."""
    head = taking.request.result_head(taking.executor, taking.started_at, at)
    request = taking.request
    return AttemptSucceeded(
        *head, answer.output, answer.emits, answer.usage, request.epoch, taking.lease, request.carried
    )


def failed(taking: Taking, at: datetime, error: HarnessError) -> AttemptFailed:
    """The fact of an attempt that gave none. A long detail loses its middle: what matters stands at either end."""
    head = taking.request.result_head(taking.executor, taking.started_at, at)
    return AttemptFailed(
        *head,
        error.reason,
        shortened(error.detail),
        error.retryable,
        error.usage,
        epoch=taking.request.epoch,
        lease=taking.lease,
    )


def shortened(text: str) -> str:
    """The text, without its middle when it has more than `DETAIL_CHARACTERS`."""
    half = DETAIL_CHARACTERS // 2
    return text if len(text) <= DETAIL_CHARACTERS else f"{text[:half]} … {text[-half:]}"
