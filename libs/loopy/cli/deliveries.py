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
    from loopy.bus.messages import Message


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
        listed = await newest_deliveries(bus, args.limit, failed_only=args.failed)
    if args.json:
        print_json(listed)
    elif not listed:
        stderr_screen().line("no delivery failed" if args.failed else "no delivery yet")
    else:
        stdout_screen().lines(table([_row(delivery) for delivery in listed]))
    return OK


async def newest_deliveries(bus: "Bus", limit: int, *, failed_only: bool) -> list[Listed]:
    """The newest deliveries, the newest first. Each has at most two messages: its arrival and its failure."""
    from loopy.bus.newest import newest
    from loopy.bus.streams import DELIVERIES

    kinds = ("failed",) if failed_only else ("delivery", "failed")
    filters = [bus.subjects.under(kind, ">") for kind in kinds]
    found = _joined(await newest(bus, DELIVERIES, filters, limit * len(kinds)), bus.subjects.namespace)
    return sorted(found, key=lambda delivery: delivery.at, reverse=True)[:limit]


def _joined(messages: "list[Message]", namespace: str) -> list[Listed]:
    """One entry for each delivery; its failure, where there is one, takes the place of its arrival."""
    from loopy.bus.codec import read_delivery, read_failed_delivery
    from loopy.bus.undecodable import Undecodable

    listed: dict[tuple[str, str], Listed] = {}
    for message in messages:
        try:
            if message.subject.startswith(f"{namespace}.failed."):
                failed = read_failed_delivery(message)
                listed[failed.sensor, failed.id] = Listed(failed.sensor, failed.id, failed.at, "failed", failed.error)
            else:
                delivery = read_delivery(message)
                listed.setdefault(
                    (delivery.sensor, delivery.id), Listed(delivery.sensor, delivery.id, delivery.at, "accepted")
                )
        except Undecodable:
            continue
    return list(listed.values())


def _row(delivery: Listed) -> Line:
    state = Piece(f"{BROKEN} failed", "bad") if delivery.state == "failed" else Piece(f"{DONE} accepted", "ok")
    why = Piece(shorten(delivery.error, 200), "dim")
    return line(date_time(delivery.at), state, Piece(delivery.sensor, "name"), short(delivery.id), why)
