"""A connection whose pings are answered and whose requests are not is given up for one to the next server."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from loopy.bus.client import Bus
from loopy.bus.messages import Ack, Message, Outgoing, Verdict
from loopy.bus.streams import DISPATCHER_EVENTS
from tests.support.mute_server import MuteServer
from tests.support.waiting import wait_until


@pytest.fixture
async def pair(nats_url: str) -> AsyncIterator[tuple[MuteServer, MuteServer]]:
    """Two servers of one cluster, as far as a client can see."""
    port = int(nats_url.rpartition(":")[2])
    async with MuteServer(port) as one, MuteServer(port) as other:
        yield one, other


async def connected(pair: tuple[MuteServer, MuteServer], namespace: str) -> tuple[Bus, MuteServer, MuteServer]:
    """A bus on one of the two, that one, and the other."""
    bus = await Bus.connect(f"{pair[0].url},{pair[1].url}", namespace=namespace, name="test")
    await bus.provision()
    here, there = pair if pair[0].clients else (pair[1], pair[0])
    return bus, here, there


async def test_a_publish_that_nobody_answers_is_stored_by_the_next_server(
    pair: tuple[MuteServer, MuteServer], namespace: str
) -> None:
    bus, here, there = await connected(pair, namespace)
    here.mute = True
    async with asyncio.timeout(20):
        stored = await bus.publish_once(Outgoing(bus.subjects.start("r"), b"{}"))
    assert stored.first
    assert (here.clients, there.clients) == (0, 1)
    assert bus.reconnects == 1
    assert here.swallowed >= 3
    await bus.close()


async def test_a_consumer_that_only_waits_moves_on_too(pair: tuple[MuteServer, MuteServer], namespace: str) -> None:
    bus, here, there = await connected(pair, namespace)
    got: list[Message] = []
    stopping = asyncio.Event()

    async def handler(message: Message) -> Verdict:
        got.append(message)
        return Ack()

    consuming = asyncio.create_task(bus.consume(DISPATCHER_EVENTS, handler, in_flight=4, stopping=stopping))
    await wait_until(lambda: bus.consuming != [])
    here.mute = True
    await wait_until(lambda: there.clients == 1, 30)
    await bus.publish_once(Outgoing(bus.subjects.event("A", "e"), b"{}"))
    await wait_until(lambda: len(got) == 1)
    stopping.set()
    await consuming
    await bus.close()
