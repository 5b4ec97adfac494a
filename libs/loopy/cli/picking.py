"""Which runs a command is about: ids or their beginnings, or all that options select."""

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from loopy.cli.exits import FAILED, CommandError
from loopy.cli.screen import ATTENTION, Piece, line, stderr_screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopy.bus.client import Bus
    from loopy.runs.selection import Selection
    from loopy.runs.summary import RunSummary

SEARCHED = 10_000
LONGEST_PREFIX = 24


def is_selective(args: argparse.Namespace) -> bool:
    """Whether an option selects among runs."""
    return bool(args.workflow or args.outcome or args.event) or args.since is not None or args.before is not None


def selection(args: argparse.Namespace, standings: "Sequence[str]" = ()) -> "Selection":
    """What the options select; without `--outcome`, runs that stand like one of these."""
    from loopy.runs.selection import Selection

    now = datetime.now(UTC)
    since, before = (
        now - timedelta(seconds=seconds) if seconds is not None else None for seconds in (args.since, args.before)
    )
    return Selection(args.workflow, (args.outcome,) if args.outcome else tuple(standings), args.event, since, before)


async def picked(bus: "Bus", wanted: "Selection", limit: int) -> "list[RunSummary]":
    """The newest of the runs that are meant, the newest first; of the newest 10,000, those that fit, and it is said."""
    from loopy.bus.journal import list_runs

    looked_at = limit if wanted.is_open else SEARCHED
    found = await list_runs(bus, looked_at)
    if looked_at == SEARCHED <= len(found):
        told = f"only the newest {SEARCHED:,} runs were looked at; of older ones, name the ids"
        stderr_screen().line(line(Piece(f"{ATTENTION} ", "warn"), told))
    return [summary for summary in found if wanted.picks(summary)][:limit]


async def resolved(bus: "Bus", given: str) -> str:
    """The complete id of the one run whose id begins so. CommandError."""
    from loopy.bus.journal import list_runs

    if len(given) >= LONGEST_PREFIX:
        return given
    found = sorted({s.run for s in await list_runs(bus, SEARCHED) if s.run.startswith(given)}) if given else []
    match found:
        case [identity]:
            return identity
        case []:
            raise CommandError(f"there is no run {given}", "`loopy runs` lists them", code=FAILED)
        case _:
            raise CommandError(f"{len(found)} runs begin with {given}: {', '.join(found[:5])}", "give more of the id")


async def event_begun(bus: "Bus", given: str) -> str | None:
    """The complete id of the one event that started a run and whose id begins so; None when there is none.

    Ids of events are as long as their senders have them, so a complete one is to be looked for first. CommandError.
    """
    from loopy.bus.journal import list_runs

    found = sorted({s.event for s in await list_runs(bus, SEARCHED) if s.event.startswith(given)}) if given else []
    if len(found) > 1:
        raise CommandError(f"{len(found)} events begin with {given}: {', '.join(found[:5])}", "give more of the id")
    return found[0] if found else None
