"""`loopy tap`: what passes on the bus, one line a message."""

import argparse
import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from loopy.cli.exits import OK
from loopy.cli.look import print_json, stdout_screen
from loopy.cli.reach import Address, connected, find_bus

if TYPE_CHECKING:
    from loopy.bus.client import Bus
    from loopy.bus.messages import Message
    from loopy.bus.subjects import Subjects
    from loopy.cli.tapped import Wanted


def run(args: argparse.Namespace) -> int:
    """Print messages until `args.count` of them have passed, or for ever."""
    return asyncio.run(_tap(args, find_bus(args)))


async def _tap(args: argparse.Namespace, address: Address) -> int:
    from loopy.cli.tapped import wanted_by

    async with connected(address, "tap") as bus:
        wanted = wanted_by(args.pattern, bus.subjects)
        earliest = None if args.since is None else datetime.now(UTC) - timedelta(seconds=args.since)
        starts = [0 if earliest is not None else await bus.position(one.stream) for one in wanted]
        printer = _Printer(bus.subjects, as_json=args.json, count=args.count)
        await _first_of(
            printer.enough.wait(),
            *(_follow(bus, one, after, earliest, printer) for one, after in zip(wanted, starts, strict=True)),
        )
    return OK


class _Printer:
    """Prints messages, and says when it has printed enough of them."""

    def __init__(self, subjects: "Subjects", *, as_json: bool, count: int | None) -> None:
        self.enough = asyncio.Event()
        self._subjects = subjects
        self._as_json = as_json
        self._left = count
        self._screen = stdout_screen()

    def print(self, message: "Message") -> None:
        from loopy.cli.tapped import record_of, shown

        if self.enough.is_set():
            return
        if self._as_json:
            print_json(record_of(message))
        else:
            self._screen.line(shown(message, self._subjects))
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.enough.set()


async def _follow(bus: "Bus", one: "Wanted", after: int, earliest: datetime | None, printer: _Printer) -> None:
    """Print what passes in one stream, in its order, for ever."""
    async with aclosing(bus.read(one.stream, one.filters, after=after, follow=True)) as messages:
        async for message in messages:
            if earliest is None or message.time >= earliest:
                printer.print(message)


async def _first_of(*awaitables: Coroutine[Any, Any, Any]) -> None:
    """Wait until one of these ends, end the others, and raise what the one raised."""
    tasks = [asyncio.create_task(each) for each in awaitables]
    try:
        finished, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in finished:
        task.result()
