"""`loopy trigger`: check an event, publish it, and show what follows."""

import argparse
import asyncio
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopy.cli.exits import FAILED, OK, CommandError
from loopy.cli.projects import find_project, plan_if_good
from loopy.cli.reach import Address, connected, find_bus
from loopy.cli.screen import Piece, line, stderr_screen, stdout_screen
from loopy.cli.values import event_data

if TYPE_CHECKING:
    from loopy.bus.client import Bus
    from loopy.compiler.plan import Plan
    from loopy.runs.records import Event

SOURCE = "/cli/trigger"
LONGEST_ID = 256
STORE_S = 20.0  # longer than a cluster takes to agree on another leader


def run(args: argparse.Namespace) -> int:
    """Publish `args.event`; with `args.wait`, exit 1 when anything that followed failed."""
    if args.timeout is not None and not args.wait:
        raise CommandError("--timeout is how long --wait waits; give both, or none")
    identity = _identity(args.id)
    base = _from_file(args.file) if args.file is not None else {}
    address = find_bus(args)
    return asyncio.run(_trigger(args, address, plan_written(find_project(args.project)), identity, base))


async def _trigger(
    args: argparse.Namespace, address: Address, plan: "Plan | None", identity: str, base: dict[str, Any]
) -> int:
    from loopy.runs.records import Event

    async with connected(address, "trigger") as bus:
        plan = plan or await newest_plan(bus)
        data = event_data(plan, args.event, base, args.field)
        event = Event(identity, args.event, SOURCE, datetime.now(UTC), data, cascade=identity)
        return await published(bus, event, plan, wait=args.wait, timeout_s=args.timeout)


async def published(bus: "Bus", event: "Event", plan: "Plan", *, wait: bool, timeout_s: float | None) -> int:
    """Publish an event and print its id; with `wait`, show what follows until it is done. The exit code."""
    from loopy.bus.cloudevents import event_message
    from loopy.bus.streams import RUNS

    before = await bus.position(RUNS)
    try:
        async with asyncio.timeout(STORE_S):
            stored = await bus.publish_once(event_message(bus.subjects, event))
    except TimeoutError:
        raise CommandError(
            f"the NATS server has not stored {event.type} {event.id} within {STORE_S:g} s",
            f"is its disk full? Its log says. Once it works, repeat this with --id {event.id}: it is stored once",
            code=FAILED,
        ) from None
    stdout_screen().line(event.id)
    if not stored.first:
        stderr_screen().line(
            line(Piece("! ", "warn"), f"{event.type} {event.id} was there already; nothing was published")
        )
    if not plan.started_by(event.type):
        stderr_screen().line(line(Piece("! ", "warn"), f"{event.type} starts no workflow of this project"))
    return await _shown(bus, event, plan, before if stored.first else 0, timeout_s) if wait else OK


async def _shown(bus: "Bus", event: "Event", plan: "Plan", after: int, timeout_s: float | None) -> int:
    from loopy.cli.cascade_display import display, summary
    from loopy.cli.watching import watch_cascade
    from loopy.compiler.plan import plan_hash

    screen = stdout_screen()
    try:
        async with asyncio.timeout(timeout_s):
            with display(screen, {plan_hash(plan): plan}, only=event.cascade) as shown:
                cascade = await watch_cascade(bus, event.cascade, shown, after=after)
    except TimeoutError:
        raise CommandError(
            f"not done after {timeout_s:g}s; it goes on by itself", "`loopy runs` shows how it ends", code=FAILED
        ) from None
    screen.line(summary(cascade))
    return FAILED if cascade.failed else OK


def plan_written(project: Path | None) -> "Plan | None":
    """The plan of the project's files; None, told, where they do not compile: `newest_plan` goes on being served."""
    plan = plan_if_good(project) if project is not None else None
    if project is not None and plan is None:
        told = "the project does not compile; the event is checked against the plan that was served last"
        stderr_screen().line(line(Piece("! ", "warn"), told))
    return plan


async def newest_plan(bus: "Bus") -> "Plan":
    """The plan that was last put on the bus. CommandError when there is none that can be read."""
    from loopy.bus.codec import read_plan
    from loopy.bus.streams import PLANS
    from loopy.bus.undecodable import Undecodable

    message = await bus.last(PLANS, bus.subjects.plan(">"))
    if message is None:
        raise CommandError(
            f"no project was ever run in namespace {bus.subjects.namespace}", "name the project with --project DIR"
        )
    try:
        return read_plan(message)
    except Undecodable as error:
        raise CommandError(
            f"the plan on the bus cannot be read: {error}", "name the project with --project DIR"
        ) from None


def _identity(given: str | None) -> str:
    if given is None:
        return uuid.uuid4().hex[:24]
    if not given or len(given) > LONGEST_ID or not given.isprintable() or any(char.isspace() for char in given):
        raise CommandError(f"--id: an id is 1 to {LONGEST_ID} characters without white space")
    return given


def _from_file(name: str) -> dict[str, Any]:
    import msgspec

    where = "standard input" if name == "-" else name
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return msgspec.json.decode(data, type=dict[str, Any])
    except OSError as error:
        raise CommandError(f"--json: {where} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommandError(f"--json: {where} does not hold a JSON object: {error}") from None
