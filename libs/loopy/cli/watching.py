"""Following the facts of all runs as they are stored, and the cascades that someone waits for."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from loopy.runs.records import Record

if TYPE_CHECKING:
    from loopy.bus.client import Bus
    from loopy.cli.display import Display
    from loopy.runs.cascade import Cascade


async def facts(bus: "Bus", *, after: int) -> AsyncIterator[Record]:
    """Every fact of every run from after a position of the stream on, for ever; what is none is passed over."""
    from loopy.bus.codec import Undecodable, read_record
    from loopy.bus.streams import RUNS

    async for message in bus.read(RUNS, [bus.subjects.under("run", ">")], after=after, follow=True):
        try:
            record = read_record(message)
        except Undecodable:
            continue
        yield record


async def watch_cascade(bus: "Bus", cascade: str, display: "Display", *, after: int) -> "Cascade":
    """Show a cascade until it is done."""
    async for record in facts(bus, after=after):
        done = display.see(record)
        if done is not None and done.id == cascade:
            return done
    raise AssertionError("the stream of facts has no end")
