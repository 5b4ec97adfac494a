"""The bus over a line that loses what a test says, told with the server in memory."""

import asyncio

from loopy.bus.client import Bus
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.messages import Outgoing
from loopy.bus.streams import EVENTS
from loopy.bus.subjects import Subjects


class Lossy:
    """Loses the first thing of each kind that it is told to."""

    def __init__(self, outward: str = "", homeward: str = "") -> None:
        self._outward = outward
        self._homeward = homeward

    def outward(self, subject: str) -> float | None:
        """Nothing takes time."""
        if self._outward and subject.startswith(self._outward):
            self._outward = ""
            return None
        return 0.0

    def homeward(self, subject: str) -> float | None:
        """Nothing takes time."""
        if self._homeward and subject.startswith(self._homeward):
            self._homeward = ""
            return None
        return 0.0


async def buses(line: Lossy) -> tuple[Bus, Bus]:
    """A bus over a perfect line, and one over this."""
    server, subjects = MemoryServer(), Subjects("t")
    perfect = Bus(MemoryConnection(server, "perfect"), subjects)
    await perfect.provision()
    return perfect, Bus(MemoryConnection(server, "lossy", line), subjects)


async def test_a_read_does_not_wait_for_ever_for_what_was_dropped_on_its_way() -> None:
    perfect, lossy = await buses(Lossy(homeward="_INBOX_"))
    await perfect.publish_once(Outgoing(perfect.subjects.event("A", "1"), b""))
    async with asyncio.timeout(5):
        read = [message.sequence async for message in lossy.read(EVENTS, [perfect.subjects.under("evt", ">")])]
    assert read == [1]


async def test_a_publisher_whose_answer_was_lost_learns_that_its_message_is_stored() -> None:
    _, lossy = await buses(Lossy(homeward="t.evt."))
    stored = await lossy.publish_once(Outgoing(lossy.subjects.event("A", "1"), b"mine"))
    assert (stored.sequence, stored.first) == (1, False)


async def test_who_follows_a_stream_learns_of_what_was_dropped_though_nothing_comes_after_it() -> None:
    perfect, lossy = await buses(Lossy(homeward="_INBOX_"))
    await perfect.publish_once(Outgoing(perfect.subjects.event("A", "1"), b""))
    following = lossy.read(EVENTS, [perfect.subjects.under("evt", ">")], follow=True)
    async with asyncio.timeout(5):
        assert (await anext(following)).sequence == 1
    await following.aclose()
