"""Clocks: one that stands still until it is told, and a loop that moves it."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from loopy.clock import VirtualClock
from tests.sim.loop import Stuck, run_virtually

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_a_virtual_clock_moves_only_when_it_is_told_to() -> None:
    clock = VirtualClock(NOON)
    assert (clock.now(), clock.monotonic()) == (NOON, 0.0)
    clock.advance(90.5)
    assert (clock.now(), clock.monotonic()) == (NOON + timedelta(seconds=90.5), 90.5)


def test_a_virtual_clock_shows_the_time_of_zone_utc() -> None:
    assert VirtualClock(NOON.astimezone(timezone(timedelta(hours=2)))).now().utcoffset() == timedelta(0)


def test_a_virtual_clock_cannot_go_back() -> None:
    with pytest.raises(ValueError, match="cannot go back by 1 s"):
        VirtualClock(NOON).advance(-1)


def test_a_loop_on_a_virtual_clock_takes_no_time_to_wait() -> None:
    clock = VirtualClock(NOON)
    woken: list[tuple[float, float]] = []

    async def wake(after_s: float) -> None:
        await asyncio.sleep(after_s)
        woken.append((after_s, clock.monotonic()))

    async def main() -> None:
        await asyncio.gather(wake(7200), wake(3600), wake(0.5))

    run_virtually(clock, main())
    assert [(after_s, round(at, 3)) for after_s, at in woken] == [(0.5, 0.5), (3600, 3600.0), (7200, 7200.0)]
    assert clock.now() - NOON >= timedelta(hours=2)


def test_a_loop_on_a_virtual_clock_says_when_nothing_can_happen_any_more() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck):
        run_virtually(VirtualClock(NOON), main())
