"""`loopy control`: what holds for everything, or for a workflow, and having it otherwise."""

import argparse
import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from loopy.cli.exits import OK, CommandError
from loopy.cli.parser import did_you_mean
from loopy.cli.person import me
from loopy.cli.reach import Address, connected, find_bus
from loopy.cli.screen import (
    ATTENTION,
    DONE,
    Line,
    Piece,
    date_time,
    line,
    print_json,
    shorten,
    stderr_screen,
    stdout_screen,
)

if TYPE_CHECKING:
    from loopy.bus.client import Bus
    from loopy.bus.control import Controls, ControlSet

ACTIONS = ("show", "halt", "resume", "close", "open")
OF_A_WORKFLOW = ("halt", "resume")


def run(args: argparse.Namespace) -> int:
    """Show what holds, or change it as `args.action` says."""
    _check(args)
    return asyncio.run(_control(args, find_bus(args)))


def _check(args: argparse.Namespace) -> None:
    """CommandError when the words and options do not go together."""
    action = args.action
    if action not in ACTIONS:
        raise CommandError(
            f"loopy control: unknown action `{action}`",
            did_you_mean(action, ACTIONS, f"it takes {', '.join(ACTIONS)}"),
        )
    if args.workflow is not None and action not in OF_A_WORKFLOW:
        reason = "it is one fact which runs an event starts, of all workflows" if action != "show" else "it shows all"
        raise CommandError(f"loopy control {action}: --workflow is for halt and resume; {reason}")
    if args.why is not None and action == "show":
        raise CommandError("loopy control show: --why is for what changes something")


async def _control(args: argparse.Namespace, address: Address) -> int:
    from loopy.bus.control import change_control, read_controls

    async with connected(address, "control") as bus:
        if args.action != "show":
            if args.workflow is not None:
                await _check_workflow(bus, args)
            now = datetime.now(UTC)
            said, is_new = await change_control(bus, args.action, args.workflow, me(), args.why or "", now)
            stderr_screen().line(line(Piece(f"{DONE} ", "ok"), _news(said, is_new=is_new)))
        controls = await read_controls(bus)
    if args.json:
        print_json(described(controls))
    elif args.action == "show":
        stdout_screen().lines(control_lines(controls) or [line(Piece(f"{DONE} ", "ok"), "nothing is held back")])
    return OK


async def _check_workflow(bus: "Bus", args: argparse.Namespace) -> None:
    """CommandError for a workflow that nobody knows; what was halted before is known."""
    from loopy.bus.control import read_controls
    from loopy.cli.trigger import newest_plan

    known = (await newest_plan(bus)).workflows
    if args.workflow not in known and args.workflow not in (await read_controls(bus)).workflows:
        hint = did_you_mean(args.workflow, known, f"there are {', '.join(known) or 'none'}")
        raise CommandError(f"loopy control {args.action}: there is no workflow `{args.workflow}`", hint)


def described(controls: "Controls") -> dict[str, Any]:
    """What holds, for programs."""
    return {
        "halted": controls.halted,
        "closed": controls.closed,
        "halted_workflows": sorted(name for name, said in controls.workflows.items() if said.halted),
        "everything": controls.everything,
        "workflows": controls.workflows,
    }


def control_lines(controls: "Controls") -> list[Line]:
    """A line for each thing that holds something back; none when nothing does."""
    return [said_line(said) for said in controls.in_force]


def said_line(said: "ControlSet") -> Line:
    """What somebody had hold, since when and why."""
    held = said.halted or said.closed
    return line(Piece(f"{ATTENTION if held else DONE} ", "warn" if held else "ok"), said_words(said))


def said_words(said: "ControlSet") -> str:
    """The same in plain words."""
    why = f": {shorten(said.why, 200)}" if said.why else ""
    return f"{_what(said)} {_how(said)} (since {date_time(said.at)}, by {said.by}{why})"


def _news(said: "ControlSet", *, is_new: bool) -> str:
    """What holds after a change, or as before."""
    by = f", by {said.by}" if said.halted or said.closed else ""
    return f"{_what(said)} {_how(said)}{'' if is_new else f' (it was so before{by})'}"


def _what(said: "ControlSet") -> str:
    return "everything" if said.workflow is None else f"workflow {said.workflow}"


def _how(said: "ControlSet") -> str:
    match (said.halted, said.closed):
        case (True, True):
            return "is halted and closed: no attempt begins, no event is let in"
        case (True, False):
            return "is halted: no attempt begins"
        case (False, True):
            return "is closed: no event is let in"
        case _:
            return "goes on"
