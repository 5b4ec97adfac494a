"""`loopy runs`: the newest runs, one run with its steps, or an event that is to run again."""

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

from loopy.cli.exits import OK, CommandError
from loopy.cli.parser import did_you_mean
from loopy.cli.reach import Address, connected, find_bus
from loopy.cli.screen import (
    BUSY,
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

    from loopy.bus.client import Bus
    from loopy.runs.cascade import CascadeRun
    from loopy.runs.state import RunState
    from loopy.runs.summary import RunSummary

ACTIONS = ("list", "show", "replay")
SEARCHED = 10_000
LONGEST_PREFIX = 24


def run(args: argparse.Namespace) -> int:
    """List runs, show one or replay an event, as `args.action` says."""
    if args.action not in ACTIONS:
        raise CommandError(
            f"loopy runs: unknown action `{args.action}`",
            did_you_mean(args.action, ACTIONS, f"`loopy runs show {args.action}` shows a run"),
        )
    if args.action == "show" and args.id is None:
        raise CommandError("loopy runs show: which run? Give its id", "`loopy runs` lists them")
    if args.action == "list" and args.id is not None:
        raise CommandError(
            f"loopy runs list: unexpected argument `{args.id}`", f"`loopy runs show {args.id}` shows a run"
        )
    if args.action == "replay":
        return _replay(args)
    if args.wait or args.timeout is not None:
        raise CommandError(f"loopy runs {args.action}: --wait and --timeout are for replay")
    address = find_bus(args)
    return asyncio.run(_show(args, address) if args.action == "show" else _list(args, address))


def _replay(args: argparse.Namespace) -> int:
    from loopy.cli import replay

    if args.id is None:
        raise CommandError("loopy runs replay: which event? Give its id", "`loopy tap --since 1d --json` lists events")
    if args.timeout is not None and not args.wait:
        raise CommandError("--timeout is how long --wait waits; give both, or none")
    return replay.run(args)


async def _list(args: argparse.Namespace, address: Address) -> int:
    from loopy.bus.journal import list_runs

    async with connected(address, "runs") as bus:
        picked = bool(args.workflow or args.outcome)
        found = await list_runs(bus, SEARCHED if picked else args.limit)
    summaries = [summary for summary in found if _wanted(args, summary)][: args.limit]
    if args.json:
        print_json(summaries)
    elif not summaries:
        stderr_screen().line("no such run" if picked else "no run yet; `loopy trigger EVENT` starts one")
    else:
        stdout_screen().lines(_rows(summaries))
    return OK


def _wanted(args: argparse.Namespace, summary: "RunSummary") -> bool:
    return args.workflow in (None, summary.workflow) and args.outcome in (None, summary.outcome or "running")


def _rows(summaries: "list[RunSummary]") -> list[Line]:
    short_ids = shortened(summary.run for summary in summaries)
    return table([_row(summary, short_ids[summary.run]) for summary in summaries])


def _row(summary: "RunSummary", short_id: str) -> Line:
    from loopy.cli.fact_lines import outcome_piece

    outcome = outcome_piece(summary.outcome) if summary.outcome else Piece(f"{BUSY} running", "busy")
    took = duration(summary.duration_s) if summary.duration_s is not None else ""
    why = shorten(f"{summary.failed_step}: {summary.detail}", 100) if summary.failed_step else ""
    return line(
        short_id, outcome, Piece(summary.workflow, "name"), summary.event_type, date_time(summary.started_at), took,
        Piece(why, "bad"),
    )  # fmt: skip


async def _show(args: argparse.Namespace, address: Address) -> int:
    from loopy.bus.journal import find_run, read_cascade

    async with connected(address, "runs") as bus:
        identity = await _resolved(bus, args.id)
        found = await find_run(bus, identity)
        if found is None or found.state.started is None:
            raise CommandError(f"there is no run {args.id}", "`loopy runs` lists them")
        state, started = found.state, found.state.started
        cascade = await read_cascade(bus, started.event.cascade, found.routed)
    member = next((member for member in cascade.runs if member.run == identity), None)
    if args.json:
        about = {"run": member, "event": started.event, "attempts": _attempts(state), "archived_at": found.archived_at}
        print_json(about)
    else:
        _print_run(stdout_screen(), state, member)
        if found.archived_at is not None:
            stdout_screen().lines(_archived_lines(found.archived_at, found.left_out))
    return OK


async def _resolved(bus: "Bus", given: str) -> str:
    """The complete id of the one run whose id begins so."""
    from loopy.bus.journal import list_runs

    if len(given) >= LONGEST_PREFIX:
        return given
    found = sorted({s.run for s in await list_runs(bus, SEARCHED) if s.run.startswith(given)}) if given else []
    match found:
        case [identity]:
            return identity
        case []:
            raise CommandError(f"there is no run {given}", "`loopy runs` lists them")
        case _:
            raise CommandError(f"{len(found)} runs begin with {given}: {', '.join(found[:5])}", "give more of the id")


def _attempts(state: "RunState") -> list[Any]:
    return [result for facts in state.steps.values() for result in facts.results]


def _archived_lines(at: "datetime", left_out: int) -> list[Line]:
    more = f"; {left_out} of its facts were too large to be kept" if left_out else ""
    return [line(), line(Piece(f"archived {date_time(at)}{more}", "dim"))]


def _print_run(screen: Screen, state: "RunState", member: "CascadeRun | None") -> None:
    from loopy.cli.cascade_tree import drawn, run_branch
    from loopy.cli.fact_lines import event_lines, failed_lines

    assert state.started is not None
    screen.lines(event_lines(state.started))
    if member is not None:
        screen.lines(drawn(run_branch(member)))
    failures = failed_lines(state)
    if failures:
        screen.lines([line(), line(Piece("Failed attempts", "name")), *failures])
