"""A slot's queue as two dispatchers change it: neither goes by what it saw of it some time ago."""

import pytest

from loopy.bus.client import Bus
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.subjects import Subjects
from loopy.runs.slots import Place, Queue
from loopy_services.dispatcher.lines import Enter, Leave, Line


async def test_a_queue_that_was_full_takes_who_comes_once_another_dispatcher_made_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bus = Bus(MemoryConnection(MemoryServer(), "test"), Subjects("unit"))
    await bus.provision()
    monkeypatch.setattr("loopy_services.dispatcher.lines.PLACE_BYTES", bus.max_payload)
    one, other = (Line(bus, Queue("deploys", "acme", 1)) for _ in range(2))
    first, second = (Enter(Place(run, "w", 0, 0)) for run in ("first", "second"))
    assert one.is_full(await one.change(first, 1))
    assert (await one.change(second, 1)).place_of("second") is None
    assert not (await other.change(Leave("first", 0), 1)).places
    assert (await one.change(second, 1)).place_of("second") is not None
