"""Following the facts of all runs as they are stored, and the cascades that someone waits for."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from loopy.runs.records import Record

if TYPE_CHECKING:
    from loopy.bus.client import Bus
    from loopy.cli.cascade_display import Display
    from loopy.runs.cascade import Cascade


async def facts(bus: "Bus", *, after: int) -> AsyncGenerator[Record]:
    """Every fact of every run from after a position of the stream on, for ever; what is none is passed over.

    Who leaves the loop early closes it (`aclosing`), so that the reading ends before the connection does.
    """
    from loopy.bus.codec import read_record
    from loopy.bus.streams import RUNS
    from loopy.bus.undecodable import Undecodable

    async with aclosing(bus.read(RUNS, [bus.subjects.under("run", ">")], after=after, follow=True)) as messages:
        async for message in messages:
            try:
                record = read_record(message)
            except Undecodable:
                continue
            yield record


async def watch_cascade(bus: "Bus", cascade: str, display: "Display", *, after: int) -> "Cascade":
    """Show a cascade until it is done."""
    async with aclosing(facts(bus, after=after)) as records:
        async for record in records:
            done = display.see(record)
            if done is not None and done.id == cascade:
                return done
    raise AssertionError("the stream of facts has no end")
