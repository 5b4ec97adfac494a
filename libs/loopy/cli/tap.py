"""`loopy tap`: what passes on the bus, one line a message, in the order in which it was stored."""

import argparse
import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from loopy.cli.exits import OK
from loopy.cli.reach import Address, connected, find_bus
from loopy.cli.screen import print_json, stdout_screen

if TYPE_CHECKING:
    from loopy.bus.client import Bus
    from loopy.bus.messages import Message
    from loopy.bus.subjects import Subjects
    from loopy.cli.tap_messages import Wanted

SETTLE_S = 0.05  # a message of one stream may reach us before an older one of another: so long is waited for it
MOST_AHEAD = 1000


def run(args: argparse.Namespace) -> int:
    """Print messages until `args.count` of them have passed, or for ever."""
    return asyncio.run(_tap(args, find_bus(args)))


async def _tap(args: argparse.Namespace, address: Address) -> int:
    from loopy.cli.tap_messages import wanted_by

    async with connected(address, "tap") as bus:
        wanted = wanted_by(args.pattern, bus.subjects)
        printer = _Printer(bus.subjects, as_json=args.json, count=args.count)
        if args.since is None:
            starts = [await bus.position(one.stream) for one in wanted]
        else:
            starts = await _print_stored(bus, wanted, datetime.now(UTC) - timedelta(seconds=args.since), printer)
        await _print_new(bus, wanted, starts, printer)
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
        from loopy.cli.tap_messages import record_of, shown

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


async def _print_stored(bus: "Bus", wanted: "Sequence[Wanted]", earliest: datetime, printer: _Printer) -> list[int]:
    """Print what is stored of these streams from `earliest` on; gives the sequence in each that is read by then."""
    read = [0] * len(wanted)
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(aclosing(bus.read(one.stream, one.filters))) for one in wanted]
        heads = {index: head for index, reader in enumerate(readers) if (head := await anext(reader, None)) is not None}
        while heads and not printer.enough.is_set():
            index = min(heads, key=lambda each: heads[each].time)
            message = heads.pop(index)
            read[index] = message.sequence
            if message.time >= earliest:
                printer.print(message)
            following = await anext(readers[index], None)
            if following is not None:
                heads[index] = following
    return read


async def _print_new(bus: "Bus", wanted: "Sequence[Wanted]", starts: list[int], printer: _Printer) -> None:
    """Print what passes behind these sequences, until the printer has enough."""
    passed: asyncio.Queue[Message] = asyncio.Queue(MOST_AHEAD)
    follow = (_follow(bus, one, after, passed) for one, after in zip(wanted, starts, strict=True))
    await _first_of(printer.enough.wait(), _print_sorted(passed, printer), *follow)


async def _follow(bus: "Bus", one: "Wanted", after: int, passed: "asyncio.Queue[Message]") -> None:
    """Hand on what passes in one stream, in its order, for ever."""
    async with aclosing(bus.read(one.stream, one.filters, after=after, follow=True)) as messages:
        async for message in messages:
            await passed.put(message)


async def _print_sorted(passed: "asyncio.Queue[Message]", printer: _Printer) -> None:
    """Print what is handed on, a moment later and the oldest first, for ever."""
    while True:
        batch = [await passed.get()]
        await asyncio.sleep(SETTLE_S)
        while not passed.empty():
            batch.append(passed.get_nowait())
        for message in sorted(batch, key=lambda each: each.time):
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
