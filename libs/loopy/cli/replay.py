"""`loopy runs replay`: an event of before as a new one, so that its workflows run again."""

import argparse
import asyncio
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from loopy.cli.exits import CommandError
from loopy.cli.projects import find_project
from loopy.cli.reach import Address, connected, find_bus
from loopy.cli.trigger import newest_plan, plan_written, published
from loopy.cli.values import event_data

if TYPE_CHECKING:
    from loopy.bus.client import Bus
    from loopy.compiler.plan import Plan
    from loopy.runs.records import Event

SOURCE = "/cli/replay"


def run(args: argparse.Namespace) -> int:
    """Publish the event `args.id` anew; with `args.wait`, exit 1 when anything that followed failed."""
    address = find_bus(args)
    return asyncio.run(_replay(args, address, plan_written(find_project(args.project))))


async def _replay(args: argparse.Namespace, address: Address, plan: "Plan | None") -> int:
    from loopy.runs.records import Event

    async with connected(address, "replay") as bus:
        plan = plan or await newest_plan(bus)
        old = await _stored(bus, plan, args.id)
        identity = uuid.uuid4().hex[:24]
        data = event_data(plan, old.type, old.data, ())
        new = Event(identity, old.type, SOURCE, datetime.now(UTC), data, cascade=identity, replay_of=old.id)
        return await published(bus, new, plan, wait=args.wait, timeout_s=args.timeout)


async def _stored(bus: "Bus", plan: "Plan", identity: str) -> "Event":
    """The event of an id, of whatever type of the plan's. CommandError when there is none that can be read."""
    from loopy.bus.cloudevents import read_event
    from loopy.bus.streams import EVENTS
    from loopy.bus.undecodable import Undecodable

    subjects = [bus.subjects.event(event_type, identity) for event_type in plan.events]
    found = await bus.last_each(EVENTS, subjects) if identity and subjects else []
    if not found:
        raise CommandError(
            f"there is no event {identity or '(empty)'} of a type that the project declares",
            "`loopy tap --since 1d --json` lists events with their ids",
        )
    try:
        return read_event(bus.subjects, found[-1])
    except Undecodable as error:
        raise CommandError(f"event {identity} cannot be read: {error.detail}") from None
