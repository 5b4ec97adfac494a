"""`loopy tap`: what passes on the bus, one line a message."""

import argparse
import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from loopy.cli.exits import OK
from loopy.cli.look import print_json, stdout_screen
from loopy.cli.reach import Address, connected, find_bus

if TYPE_CHECKING:
    from loopy.bus.client import Bus
    from loopy.bus.messages import Message
    from loopy.cli.tapped import Wanted


def run(args: argparse.Namespace) -> int:
    """Print messages until `args.count` of them have passed, or for ever."""
    return asyncio.run(_tap(args, find_bus(args)))


async def _tap(args: argparse.Namespace, address: Address) -> int:
    from loopy.cli.tapped import record_of, shown, wanted_by

    async with connected(address, "tap") as bus:
        wanted = wanted_by(args.pattern, bus.subjects)
        earliest = None if args.since is None else datetime.now(UTC) - timedelta(seconds=args.since)
        passed, screen = 0, stdout_screen()
        async with aclosing(_passing(bus, wanted, earliest)) as messages:
            async for message in messages:
                if args.json:
                    print_json(record_of(message))
                else:
                    screen.line(shown(message, bus.subjects))
                passed += 1
                if passed == args.count:
                    break
    return OK


async def _passing(bus: "Bus", wanted: "Sequence[Wanted]", earliest: datetime | None) -> "AsyncGenerator[Message]":
    """What passes in several streams, each in its order; from now on, or from what was stored at `earliest` on."""
    arrived: asyncio.Queue[Message] = asyncio.Queue(maxsize=1000)

    async def follow(one: "Wanted", after: int) -> None:
        async for message in bus.read(one.stream, one.filters, after=after, follow=True):
            if earliest is None or message.time >= earliest:
                await arrived.put(message)

    starts = [0 if earliest is not None else await bus.position(one.stream) for one in wanted]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(follow(one, after)) for one, after in zip(wanted, starts, strict=True)]
        try:
            while True:
                yield await arrived.get()
        finally:
            for task in tasks:
                task.cancel()
