"""`loopy runs replay`: events of before as new ones, so that their workflows run again."""

import argparse
import asyncio
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from loopy.cli.exits import FAILED, OK, CommandError
from loopy.cli.person import is_confirmed, me
from loopy.cli.picking import SEARCHED, event_begun, picked, selection
from loopy.cli.projects import find_project
from loopy.cli.reach import Address, connected, find_bus
from loopy.cli.screen import BROKEN, Piece, counted, line, print_json, stderr_screen, stdout_screen
from loopy.cli.trigger import newest_plan, plan_written, published
from loopy.cli.values import event_data

if TYPE_CHECKING:
    from loopy.bus.client import Bus
    from loopy.compiler.plan import Plan
    from loopy.runs.records import Event

SOURCE = "/cli/replay"


def run(args: argparse.Namespace) -> int:
    """Publish events anew; with `args.wait`, exit 1 when anything that followed failed."""
    if args.wait and (len(args.ids) != 1 or args.json):
        raise CommandError("--wait shows what follows from one event: give its id, and not --json")
    address = find_bus(args)
    return asyncio.run(_replay(args, address, plan_written(find_project(args.project))))


async def _replay(args: argparse.Namespace, address: Address, plan: "Plan | None") -> int:
    async with connected(address, "replay") as bus:
        plan = plan or await newest_plan(bus)
        if len(args.ids) == 1 and not args.json:
            new = await _repeated(bus, plan, args.ids[0], args.why)
            return await published(bus, new, plan, wait=args.wait, timeout_s=args.timeout)
        events = list(dict.fromkeys(args.ids)) or await _of_runs(bus, args)
        results = [await _again(bus, plan, each, args) for each in events]
    if args.json:
        print_json(results)
    return FAILED if any("error" in result for result in results) else OK


async def _of_runs(bus: "Bus", args: argparse.Namespace) -> list[str]:
    """The events that started the runs which the options select, the oldest first, each once."""
    runs = await picked(bus, selection(args), SEARCHED)
    events = list(dict.fromkeys(each.event for each in reversed(runs)))
    if not events:
        stderr_screen().line("no run fits, so nothing was done; `loopy runs list` takes the same options")
    elif not is_confirmed(args, f"replay {counted(len(events), 'event')}"):
        raise CommandError("nothing was done", code=FAILED)
    return events


async def _again(bus: "Bus", plan: "Plan", identity: str, args: argparse.Namespace) -> dict[str, Any]:
    """Publish one of many anew, and tell of it."""
    from loopy.bus.repeating import publish_event

    try:
        new = await _repeated(bus, plan, identity, args.why)
    except CommandError as error:
        stderr_screen().line(line(Piece(f"{BROKEN} ", "bad"), error.message))
        return {"event": identity, "error": error.message, "hint": error.hint}
    await publish_event(bus, new)
    if not args.json:
        stdout_screen().line(new.id)
    return {"event": identity, "replayed_as": new.id}


async def _repeated(bus: "Bus", plan: "Plan", identity: str, why: str | None) -> "Event":
    """The new event. CommandError when the old one is not there, or does not fit the types of today."""
    from loopy.bus.repeating import Repeat, repeated

    old = await _stored(bus, plan, identity)
    event_data(plan, old.type, old.data, ())
    return repeated(plan, old, Repeat(uuid.uuid4().hex[:24], SOURCE, datetime.now(UTC), me(), why or ""))


async def _stored(bus: "Bus", plan: "Plan", given: str) -> "Event":
    """The event of an id, or of the beginning of one that started a run, of a type of the plan's. CommandError."""
    from loopy.bus.repeating import FIRING, is_firing

    found = await _found(bus, plan, given)
    identity = given if found is not None else await event_begun(bus, given) or given
    if found is None and identity != given:
        found = await _found(bus, plan, identity)
    if found is not None:
        return found
    if await is_firing(bus, identity):
        raise CommandError(
            f"event {identity}: {FIRING}", "the schedule starts the next run when it is due", code=FAILED
        )
    raise CommandError(
        f"there is no event {given or '(empty)'} of a type that the project declares",
        "`loopy tap --since 1d --json` lists events with their ids; one that started no run needs its whole id",
        code=FAILED,
    )


async def _found(bus: "Bus", plan: "Plan", identity: str) -> "Event | None":
    from loopy.bus.repeating import find_event
    from loopy.bus.undecodable import Undecodable

    try:
        return await find_event(bus, plan.events, identity)
    except Undecodable as error:
        raise CommandError(f"event {identity} cannot be read: {error.detail}") from None
