"""Having runs do something: one fact in the journal, first writer wins, and an honest word on whether it counts."""

import asyncio
from datetime import datetime
from typing import Any

import msgspec

from loopy.bus.client import Bus, BusError
from loopy.bus.codec import read_plan, record_message, record_subject
from loopy.bus.journal import find_run, read_before
from loopy.bus.messages import Message, Outgoing
from loopy.bus.places import Placed, publish_record
from loopy.bus.streams import PLANS, RUNS
from loopy.bus.undecodable import Undecodable
from loopy.compiler.plan import Plan
from loopy.runs.edits import Refused
from loopy.runs.state import RunState
from loopy.runs.steer import Asked, Steered, steer

TRIES = 100
AGAIN_S = 0.02


class SteerResult(msgspec.Struct, frozen=True):
    """What came of a wish: the record that stands for it, or why there is none."""

    run: str
    record: Steered | None = None
    refused: Refused | None = None


def described(result: SteerResult) -> dict[str, Any]:
    """What came of it, for programs."""
    if result.refused is not None:
        return {"run": result.run, "error": result.refused.why, "hint": result.refused.hint}
    return {"run": result.run, "record": result.record}


async def steer_run(bus: Bus, run: str, asked: Asked, now: datetime) -> SteerResult:
    """Have a run do what is asked. BusError when the bus does not answer, or others keep being first.

    When another command was first, it is decided anew on what is there then. What was stored only after the run had
    ended, or had failed, say, is of no effect: that is told as the refusal that it comes to.
    """
    for _ in range(TRIES):
        found = await find_run(bus, run)
        if found is None:
            return SteerResult(run, refused=Refused("there is no such run"))
        state = found.state
        plan = await run_plan(bus, state)
        record = steer(plan, state, asked, now)
        if isinstance(record, Refused):
            return SteerResult(run, refused=record)
        message = record_message(bus.subjects, record)
        placed = await publish_record(bus, record)
        if placed.first or _is_ours(placed, message):
            judged = await _judged(bus, plan, run, asked, record, message, placed)
            if judged is not None:
                return judged
        await asyncio.sleep(AGAIN_S)
    raise BusError(f"run {run} was steered by others each time that it was tried; see `loopy runs show {run}`")


async def run_plan(bus: Bus, state: RunState) -> Plan | None:
    """The plan by which a run goes; None when it is not to be had or cannot be read."""
    if state.started is None:
        return None
    message = await bus.last(PLANS, bus.subjects.plan(state.started.plan))
    try:
        return read_plan(message) if message is not None else None
    except Undecodable:
        return None


def _is_ours(placed: Placed, message: Outgoing) -> bool:
    """Whether what stands is what we wrote: after an outage, the server had it though no answer came."""
    return placed.stands is not None and placed.stands.payload == message.payload


async def _judged(
    bus: Bus, plan: Plan | None, run: str, asked: Asked, record: Steered, message: Outgoing, placed: Placed
) -> SteerResult | None:
    """What the record is worth, given all that was stored before it.

    None when it would be another record by then: one of an epoch that was over, of which our read did not know.
    """
    place = Message(RUNS.name, message.subject, message.payload, {}, placed.sequence, record.at)
    too_late = steer(plan, await read_before(bus, run, place), asked, record.at)
    if isinstance(too_late, Refused):
        return SteerResult(run, refused=too_late)
    return SteerResult(run, record) if record_subject(bus.subjects, too_late, "") == message.subject else None
