"""`loopy runs cancel`, `pause`, `resume` and `retry`: one record for each run, and a line for what came of it."""

import argparse
import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from loopy.cli.exits import FAILED, OK, CommandError
from loopy.cli.person import is_confirmed, me
from loopy.cli.picking import SEARCHED, picked, resolved, selection
from loopy.cli.reach import Address, connected, find_bus
from loopy.cli.screen import BROKEN, DONE, Piece, counted, line, print_json, short, stderr_screen

if TYPE_CHECKING:
    from loopy.bus.client import Bus
    from loopy.bus.steer import SteerResult
    from loopy.runs.steer import Wish

DONE_WORDS = {"cancel": "cancelled", "pause": "paused", "resume": "resumed", "retry": "runs again"}


def run(args: argparse.Namespace) -> int:
    """Have the runs of `args` do what `args.action` says; exit 1 when one of them could not."""
    return asyncio.run(_steer(args, find_bus(args)))


async def _steer(args: argparse.Namespace, address: Address) -> int:
    from loopy.bus.steer import described
    from loopy.bus.streams import RUNS

    async with connected(address, "runs") as bus:
        runs = await _chosen(bus, args)
        after = await bus.position(RUNS) if args.wait else 0
        results = [await _steered(bus, args, each) for each in runs]
        for result in results:
            _tell(args.action, result)
        well = all(result.record is not None for result in results)
        if args.wait:
            well = await _ended_well(bus, args, results, after) and well
    if args.json:
        print_json([described(result) for result in results])
    return OK if well else FAILED


async def _chosen(bus: "Bus", args: argparse.Namespace) -> list[str]:
    """The runs that are meant, each once. CommandError when a person thinks better of it."""
    from loopy.runs.selection import reached

    if args.ids:
        return list(dict.fromkeys([await resolved(bus, given) for given in args.ids]))
    wanted = selection(args, reached(args.action, from_step=args.from_step is not None))
    runs = [each.run for each in await picked(bus, wanted, SEARCHED)]
    if not runs:
        stderr_screen().line("no run fits, so nothing was done; `loopy runs list` takes the same options")
    elif not is_confirmed(args, f"{args.action} {counted(len(runs), 'run')}"):
        raise CommandError("nothing was done", code=FAILED)
    return runs


async def _steered(bus: "Bus", args: argparse.Namespace, run: str) -> "SteerResult":
    from loopy.bus.steer import SteerResult, steer_run
    from loopy.runs.edits import Refused
    from loopy.runs.steer import Asked

    wish = await _wish(bus, args, run)
    if isinstance(wish, Refused):
        return SteerResult(run, refused=wish)
    return await steer_run(bus, run, Asked(wish, me(), args.why or ""), datetime.now(UTC))


async def _wish(bus: "Bus", args: argparse.Namespace, run: str) -> "Wish | Any":
    """What is asked of a run, or what is wrong with an edit of it."""
    from loopy.runs.edits import Refused
    from loopy.runs.steer import Cancel, Pause, Resume, Retry

    match args.action:
        case "cancel":
            return Cancel()
        case "pause":
            return Pause()
        case "resume":
            return Resume()
        case _:
            edits = await _edits(bus, run, args.set) if args.set else {}
            return edits if isinstance(edits, Refused) else Retry(args.from_step, edits)


async def _edits(bus: "Bus", run: str, given: Sequence[tuple[str, str]]) -> Any:
    """The values of `--set`, each read by the type that is declared for it; else why one cannot be."""
    from loopy.bus.journal import read_run
    from loopy.bus.steer import run_plan
    from loopy.cli.values import value_of
    from loopy.runs.edits import Refused, declared_fields

    state = await read_run(bus, run)
    plan = await run_plan(bus, state) if state is not None else None
    if state is None or state.started is None or plan is None:
        return Refused("its plan is not on the bus, so nothing of it can be edited")
    workflow = plan.workflows[state.started.workflow]
    edits: dict[str, dict[str, Any]] = {}
    for where, text in given:
        place, _, name = where.partition(".")
        fields = declared_fields(plan, workflow, state.started.event.type, place)
        if isinstance(fields, Refused):
            return fields
        edits.setdefault(place, {})[name] = value_of(fields[name], text) if name in fields else text
    return edits


def _tell(action: str, result: "SteerResult") -> None:
    screen, run = stderr_screen(), short(result.run)
    if result.refused is None:
        steps = getattr(result.record, "steps", ())
        again = f": {', '.join(steps)}" if steps else ""
        screen.line(line(Piece(f"{DONE} ", "ok"), f"run {run} {DONE_WORDS[action]}{again}"))
        return
    screen.line(line(Piece(f"{BROKEN} ", "bad"), f"run {run}: {result.refused.why}"))
    if result.refused.hint:
        screen.line(line(Piece(f"  {result.refused.hint}", "dim")))


async def _ended_well(bus: "Bus", args: argparse.Namespace, results: "Sequence[SteerResult]", after: int) -> bool:
    """Show what happens in the runs until each has ended, or failed again; whether all did as they were to."""
    from loopy.cli.run_waiting import until_over

    wanted = ("cancelled",) if args.action == "cancel" else ("succeeded", "skipped")
    steered = {result.run: getattr(result.record, "epoch", None) for result in results if result.record is not None}
    try:
        async with asyncio.timeout(args.timeout):
            outcomes = await until_over(bus, steered, after, silent=args.json)
    except TimeoutError:
        raise CommandError(
            f"not over after {args.timeout:g}s; it goes on by itself", "`loopy runs` shows how it ends", code=FAILED
        ) from None
    return all(outcome in wanted for outcome in outcomes.values())
