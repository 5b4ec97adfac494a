"""Watching a cascade on a bus: what is begun for it is ended with it."""

import io

from loopy.bus.client import Bus
from loopy.bus.codec import record_message
from loopy.bus.streams import RUNS, stream_name
from loopy.cli.cascade_display import Display
from loopy.cli.screen import Screen
from loopy.cli.watching import watch_cascade
from loopy.runs.records import EventRouted
from tests.support.facts import NOW, PLAN


async def readers(bus: Bus) -> list[str]:
    """The consumers of the stream of facts, by name."""
    names = await bus._connection.api(f"CONSUMER.NAMES.{stream_name(bus.subjects, RUNS)}", {})
    found: list[str] = names["consumers"]
    return sorted(found)


async def test_when_a_cascade_is_done_nothing_goes_on_reading(bus: Bus) -> None:
    before = await readers(bus)
    await bus.publish_once(record_message(bus.subjects, EventRouted("e1", "Ping", "e1", PLAN, NOW, ())))
    cascade = await watch_cascade(bus, "e1", Display(Screen(io.StringIO()), {}), after=0)
    assert cascade.done
    assert await readers(bus) == before
