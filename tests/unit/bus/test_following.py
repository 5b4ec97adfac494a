"""What a view knows of how far behind it is, told with the server in memory and in virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest

from loopy.bus import cursor
from loopy.bus.client import Bus
from loopy.bus.following import Following
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.messages import Message, Outgoing
from loopy.bus.pull import HEARTBEAT_S, MISSED_HEARTBEATS
from loopy.bus.streams import EVENTS
from loopy.bus.subjects import Subjects
from loopy.clock import VirtualClock
from tests.sim.loop import run_virtually
from tests.support.waiting import wait_until

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SILENT_S = MISSED_HEARTBEATS * HEARTBEAT_S
MOMENT_S = 0.1


class Cut:
    """A line over which nothing passes in a direction while that is cut; `asking_s` is how long a pull takes."""

    def __init__(self) -> None:
        self.outward_cut = self.homeward_cut = False
        self.asking_s = 0.0

    def outward(self, subject: str) -> float | None:
        """On the way to the server."""
        if self.outward_cut:
            return None
        return self.asking_s if ".MSG.NEXT." in subject else 0.0

    def homeward(self, subject: str) -> float | None:
        """On the way back."""
        return None if self.homeward_cut else 0.0


class View:
    """A view of the events, over a line that can be cut."""

    def __init__(self, clock: VirtualClock) -> None:
        server = MemoryServer(clock)
        self.clock = clock
        self.line = Cut()
        self.seen: list[int] = []
        self.outside = Bus(MemoryConnection(server, "outside"), Subjects("t"))
        bus = Bus(MemoryConnection(server, "inside", self.line), Subjects("t"))
        self.following = Following(bus, EVENTS, [bus.subjects.under("evt", ">")], self._see)

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """It is kept current meanwhile."""
        task = asyncio.create_task(self.following.follow())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def store(self, name: str) -> int:
        """Have somebody else store an event; its sequence."""
        return (await self.outside.publish_once(Outgoing(self.outside.subjects.event("A", name), b""))).sequence

    def _see(self, message: Message) -> None:
        self.seen.append(message.sequence)


def told(story: Callable[[View], Awaitable[None]]) -> None:
    """Have it happen, in virtual time."""
    clock = VirtualClock(NOON)

    async def begin() -> None:
        view = View(clock)
        await view.outside.provision()
        await story(view)

    run_virtually(clock, begin())


def test_a_view_is_current_once_it_is_followed_and_shows_all_that_is_stored() -> None:
    async def story(view: View) -> None:
        await view.following.load()
        stored = await view.store("1")
        assert not view.following.is_current, "nobody follows it"
        async with view.followed():
            await wait_until(lambda: view.following.is_current, MOMENT_S)
            assert view.seen == [stored]

    told(story)


def test_a_view_that_follows_for_long_stays_current_though_nothing_is_stored() -> None:
    async def story(view: View) -> None:
        async with view.followed():
            await wait_until(lambda: view.following.is_current, MOMENT_S)
            loop = asyncio.get_running_loop()
            until = loop.time() + 60
            while loop.time() < until:
                assert view.following.is_current
                await asyncio.sleep(MOMENT_S)

    told(story)


def test_a_view_that_the_server_is_silent_to_is_not_current_until_it_shows_what_was_stored_meanwhile() -> None:
    async def story(view: View) -> None:
        async with view.followed():
            await wait_until(lambda: view.following.is_current, MOMENT_S)
            view.line.outward_cut = view.line.homeward_cut = True
            missed = await view.store("1")
            await wait_until(lambda: not view.following.is_current, SILENT_S + MOMENT_S)
            view.line.outward_cut = view.line.homeward_cut = False
            await wait_until(lambda: view.following.is_current, SILENT_S)
            assert view.seen == [missed]

    told(story)


def test_the_view_of_a_process_that_stood_still_is_not_current_when_it_goes_on() -> None:
    async def story(view: View) -> None:
        async with view.followed():
            await wait_until(lambda: view.following.is_current, MOMENT_S)
            view.clock.advance(SILENT_S + MOMENT_S)
            assert not view.following.is_current
            await wait_until(lambda: view.following.is_current)

    told(story)


def test_a_view_that_hears_that_it_missed_something_is_not_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursor, "TICK_S", 60.0)  # until it looks what became of it

    async def story(view: View) -> None:
        async with view.followed():
            await wait_until(lambda: view.following.is_current, MOMENT_S)
            view.line.homeward_cut = True
            await view.store("1")
            view.line.homeward_cut = False
            await wait_until(lambda: not view.following.is_current, HEARTBEAT_S + MOMENT_S)

    told(story)


def test_a_view_that_still_has_to_show_what_it_received_is_not_current() -> None:
    async def story(view: View) -> None:
        stored = [await view.store(str(number)) for number in range(600)]
        async with view.followed():
            await wait_until(lambda: view.following.is_current, MOMENT_S)
            assert view.seen == stored

    told(story)


def test_a_view_that_misses_something_is_not_current_while_it_begins_again() -> None:
    async def story(view: View) -> None:
        async with view.followed():
            await wait_until(lambda: view.following.is_current, MOMENT_S)
            view.line.homeward_cut = True
            missed = await view.store("1")
            view.line.homeward_cut, view.line.outward_cut = False, True
            after = await view.store("2")
            await asyncio.sleep(MOMENT_S)
            assert (view.seen, view.following.is_current) == ([], False)
            view.line.outward_cut = False
            await wait_until(lambda: view.following.is_current)
            assert view.seen == [missed, after]

    told(story)


def test_a_view_is_current_though_what_was_to_come_was_deleted() -> None:
    async def story(view: View) -> None:
        deleted = await view.store("1")
        view.line.asking_s = MOMENT_S
        async with view.followed():
            await asyncio.sleep(MOMENT_S / 2)
            await view.outside.delete(EVENTS, deleted)
            await wait_until(lambda: view.following.is_current)
            assert view.seen == []

    told(story)
