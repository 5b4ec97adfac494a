"""Leases go by the server's time of storage: an executor's clock may show what it likes."""

import pytest

from loopy.bus.client import Bus
from loopy.bus.leases import Leases
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.subjects import Subjects
from loopy.clock import VirtualClock
from tests.sim.weather import SkewedClock
from tests.support.facts import NOW

PLACE = ("r1", "fix", 0, 1)


@pytest.mark.parametrize("skew_s", [-7200.0, 7200.0])
async def test_no_wrong_clock_takes_a_lease_over_early_or_never(skew_s: float) -> None:
    clock = VirtualClock(NOW)
    bus = Bus(MemoryConnection(MemoryServer(clock), "test"), Subjects("unit"))
    await bus.provision()
    wrong = SkewedClock(clock, skew_s)
    holder, other = Leases(bus, clock, "right", 3), Leases(bus, wrong, "wrong", 3)
    lease = await holder.take(*PLACE)
    assert lease is not None
    assert await other.take(*PLACE) is None
    clock.advance(2)
    assert await lease.renew()
    clock.advance(2)
    assert await other.take(*PLACE) is None
    clock.advance(1)
    assert await other.take(*PLACE) is not None
    assert not await lease.renew()
