"""`loopy runs`: the newest runs, or one with its steps. What has runs do something lies in `steering` and `replay`."""

import argparse
import asyncio
from typing import TYPE_CHECKING

from loopy.cli.exits import FAILED, OK, CommandError
from loopy.cli.parser import did_you_mean
from loopy.cli.picking import is_selective, picked, resolved, selection
from loopy.cli.reach import Address, connected, find_bus
from loopy.cli.screen import (
    Line,
    Piece,
    Screen,
    date_time,
    duration,
    line,
    print_json,
    shorten,
    shortened,
    stderr_screen,
    stdout_screen,
    table,
)

if TYPE_CHECKING:
    from datetime import datetime

    from loopy.bus.journal import Recorded
    from loopy.runs.cascade import CascadeRun
    from loopy.runs.records import RunStarted
    from loopy.runs.summary import RunSummary

STEERED = ("cancel", "pause", "resume", "retry")
ACTIONS = ("list", "show", *STEERED, "replay")
WAITED_FOR = ("cancel", "resume", "retry", "replay")
LISTED = 20
TAKEN_BY = {
    "limit": ("list",),
    "why": (*STEERED, "replay"),
    "from": ("retry",),
    "set": ("retry",),
    "wait": WAITED_FOR,
    "timeout": WAITED_FOR,
    "yes": (*STEERED, "replay"),
    "all": (*STEERED, "replay"),
}


def run(args: argparse.Namespace) -> int:
    """List, show, steer or replay, as `args.action` says."""
    _check(args)
    match args.action:
        case "list":
            return asyncio.run(_list(args, find_bus(args)))
        case "show":
            return asyncio.run(_show(args, find_bus(args)))
        case "replay":
            from loopy.cli import replay

            return replay.run(args)
        case _:
            from loopy.cli import steering

            return steering.run(args)


def _check(args: argparse.Namespace) -> None:
    """CommandError when the words and options do not go together."""
    action = args.action
    if action not in ACTIONS:
        hint = did_you_mean(action, ACTIONS, f"`loopy runs show {action}` shows a run")
        raise CommandError(f"loopy runs: unknown action `{action}`", hint)
    _check_options(args)
    selects = is_selective(args) or args.all
    if action == "list" and args.ids:
        raise CommandError(
            f"loopy runs list: unexpected argument `{args.ids[0]}`", f"`loopy runs show {args.ids[0]}` shows a run"
        )
    if action == "show" and (len(args.ids) != 1 or selects):
        raise CommandError("loopy runs show: which run? Give its id", "`loopy runs` lists them")
    if action in STEERED and bool(args.ids) == selects:
        raise CommandError(
            f"loopy runs {action}: which runs?",
            "give their ids, or choose by --workflow, --outcome, --event, --since and --before, or --all",
        )
    if action == "replay" and bool(args.ids) == selects:
        raise CommandError(
            "loopy runs replay: which event? Give its id", "`loopy tap --since 1d --json` lists events; or choose by"
            " --workflow, --outcome, --event, --since and --before those that started such runs",
        )  # fmt: skip


def _check_options(args: argparse.Namespace) -> None:
    """CommandError for an option that is another action's."""
    given = {
        "limit": args.limit is not None,
        "why": args.why is not None,
        "from": args.from_step is not None,
        "set": bool(args.set),
        "wait": args.wait,
        "timeout": args.timeout is not None,
        "yes": args.yes,
        "all": args.all,
    }
    for option, is_given in given.items():
        if is_given and args.action not in TAKEN_BY[option]:
            takers = ", ".join(f"`{action}`" for action in TAKEN_BY[option])
            raise CommandError(f"loopy runs {args.action}: --{option} is for {takers}")
    if args.timeout is not None and not args.wait:
        raise CommandError("--timeout is how long --wait waits; give both, or none")


async def _list(args: argparse.Namespace, address: Address) -> int:
    async with connected(address, "runs") as bus:
        summaries = await picked(bus, selection(args), args.limit or LISTED)
    if args.json:
        print_json(summaries)
    elif not summaries:
        stderr_screen().line("no such run" if is_selective(args) else "no run yet; `loopy trigger EVENT` starts one")
    else:
        stdout_screen().lines(_rows(summaries))
    return OK


def _rows(summaries: "list[RunSummary]") -> list[Line]:
    short_ids = shortened(summary.run for summary in summaries)
    return table([_row(summary, short_ids[summary.run]) for summary in summaries])


def _row(summary: "RunSummary", short_id: str) -> Line:
    from loopy.cli.fact_lines import standing_piece

    outcome = standing_piece(summary.outcome, paused=summary.paused)
    took = duration(summary.duration_s) if summary.duration_s is not None else ""
    why = (
        f"{summary.failed_step}: {summary.detail}" if summary.failed_step else f"by {summary.by}" if summary.by else ""
    )
    return line(
        short_id, outcome, Piece(summary.workflow, "name"), summary.event_type, date_time(summary.started_at), took,
        Piece(shorten(why, 100), "bad"),
    )  # fmt: skip


async def _show(args: argparse.Namespace, address: Address) -> int:
    from loopy.bus.journal import find_run, read_cascade

    async with connected(address, "runs") as bus:
        identity = await resolved(bus, args.ids[0])
        found = await find_run(bus, identity)
        if found is None or found.state.started is None:
            raise CommandError(f"there is no run {args.ids[0]}", "`loopy runs` lists them", code=FAILED)
        started = found.state.started
        cascade = await read_cascade(bus, started.event.cascade, found.routed)
    member = next((member for member in cascade.runs if member.run == identity), None)
    if args.json:
        about = {"run": member, "event": started.event, "attempts": found.attempts, "archived_at": found.archived_at}
        print_json({**about, "steering": found.steering})
    else:
        _print_run(stdout_screen(), started, member, found)
        if found.archived_at is not None:
            stdout_screen().lines(_archived_lines(found.archived_at, found.left_out))
    return OK


def _archived_lines(at: "datetime", left_out: int) -> list[Line]:
    more = f"; {left_out} of its facts were too large to be kept" if left_out else ""
    return [line(), line(Piece(f"archived {date_time(at)}{more}", "dim"))]


def _print_run(screen: Screen, started: "RunStarted", member: "CascadeRun | None", found: "Recorded") -> None:
    from loopy.cli.cascade_tree import drawn, run_branch
    from loopy.cli.fact_lines import event_lines, failed_lines, steering_lines

    screen.lines(event_lines(started))
    if member is not None:
        screen.lines(drawn(run_branch(member)))
    failures = failed_lines(found.attempts)
    if failures:
        screen.lines([line(), line(Piece("Failed attempts", "name")), *failures])
    if found.steering:
        screen.lines([line(), line(Piece("Steered", "name")), *steering_lines(found.steering)])
