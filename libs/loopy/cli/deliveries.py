"""`loopy deliveries`: what came in by webhook, and what could not be mapped."""

import argparse
import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from loopy.cli.exits import OK
from loopy.cli.reach import Address, connected, find_bus
from loopy.cli.screen import (
    BROKEN,
    DONE,
    Line,
    Piece,
    date_time,
    line,
    print_json,
    short,
    shorten,
    stderr_screen,
    stdout_screen,
    table,
)

if TYPE_CHECKING:
    from loopy.bus.client import Bus


class Listed(msgspec.Struct, frozen=True):
    """A delivery, and why its sensor could not map it (`error`, empty when it could or has not yet tried)."""

    sensor: str
    id: str
    at: datetime
    state: Literal["accepted", "failed"]
    error: str = ""


def run(args: argparse.Namespace) -> int:
    """List the newest deliveries, or the newest that failed."""
    return asyncio.run(_list(args, find_bus(args)))


async def _list(args: argparse.Namespace, address: Address) -> int:
    async with connected(address, "deliveries") as bus:
        listed = await _newest(bus, args.limit, failed_only=args.failed)
    if args.json:
        print_json(listed)
    elif not listed:
        stderr_screen().line("no delivery failed" if args.failed else "no delivery yet")
    else:
        stdout_screen().lines(table([_row(delivery) for delivery in listed]))
    return OK


async def _newest(bus: "Bus", limit: int, *, failed_only: bool) -> list[Listed]:
    """The newest deliveries, the newest first; a failure, where there is one, takes the place of its delivery."""
    from loopy.bus.deliveries import newest_deliveries, newest_failures

    failures = await newest_failures(bus, limit)
    listed = {(one.sensor, one.id): Listed(one.sensor, one.id, one.at, "failed", one.error) for one in failures}
    for one in () if failed_only else await newest_deliveries(bus, limit):
        listed.setdefault((one.sensor, one.id), Listed(one.sensor, one.id, one.at, "accepted"))
    return sorted(listed.values(), key=lambda delivery: delivery.at, reverse=True)[:limit]


def _row(delivery: Listed) -> Line:
    state = Piece(f"{BROKEN} failed", "bad") if delivery.state == "failed" else Piece(f"{DONE} accepted", "ok")
    why = Piece(shorten(delivery.error, 200), "dim")
    return line(date_time(delivery.at), state, Piece(delivery.sensor, "name"), short(delivery.id), why)
