"""Outages: a server that is killed and comes again loses us nothing."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import nats.errors
import pytest

from loopy.bus import consumer
from loopy.bus.client import Bus, BusError
from loopy.bus.messages import Ack, Message, Outgoing, Verdict
from loopy.bus.streams import DISPATCHER_EVENTS, EVENTS, consumer_name, stream_name
from tests.support.nats_server import NatsServer
from tests.support.waiting import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server of the test's own, to be killed."""
    server = NatsServer(tmp_path, token="s3cret-token")
    server.start()
    yield server
    server.stop()


async def connected(server: NatsServer) -> Bus:
    bus = await Bus.connect(server.url, name="test")
    await bus.provision()
    return bus


async def test_a_consumer_that_was_deleted_ends_the_consuming_instead_of_idling_for_ever(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "REFUSED_S", 0.3)

    async def handler(message: Message) -> Verdict:
        return Ack()

    consuming = asyncio.create_task(bus.consume(DISPATCHER_EVENTS, handler, in_flight=4, stopping=asyncio.Event()))
    stream = stream_name(bus.subjects, EVENTS)
    await bus._connection.api(f"CONSUMER.DELETE.{stream}.{consumer_name(bus.subjects, DISPATCHER_EVENTS)}", {})
    with pytest.raises(BusError, match=r"consumer dispatcher-events has given nothing for 0.3 s \(503\)"):
        await asyncio.wait_for(consuming, 10)


async def test_consuming_goes_on_through_kills_and_nothing_is_lost(server: NatsServer) -> None:
    bus = await connected(server)
    got: set[int] = set()
    stopping = asyncio.Event()

    async def handler(message: Message) -> Verdict:
        await asyncio.sleep(0.001)
        got.add(message.sequence)
        return Ack()

    async def publish() -> None:
        for n in range(400):
            await bus.publish_once(Outgoing(bus.subjects.event("A", str(n)), b"{}"))

    consuming = asyncio.create_task(bus.consume(DISPATCHER_EVENTS, handler, in_flight=32, stopping=stopping))
    publishing = asyncio.create_task(publish())
    await wait_until(lambda: len(got) >= 50)
    server.kill()
    server.start()
    await wait_until(lambda: len(got) >= 200)
    server.kill()
    server.start()
    await asyncio.wait_for(publishing, 20)
    await wait_until(lambda: len(got) == 400, timeout=20)
    assert await bus.position(EVENTS) == 400
    stopping.set()
    await asyncio.wait_for(consuming, 10)
    await bus.close()


async def test_a_publish_waits_through_an_outage(server: NatsServer) -> None:
    bus = await connected(server)
    server.kill()
    await wait_until(lambda: not bus.connected)
    publishing = asyncio.create_task(bus.publish_once(Outgoing(bus.subjects.event("A", "1"), b"{}")))
    server.start()
    assert (await asyncio.wait_for(publishing, 10)).sequence == 1
    assert bus.connected
    await bus.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no uvloop")
def test_what_is_published_as_the_connection_is_lost_waits_for_the_next(nats_url: str, namespace: str) -> None:
    import uvloop

    async def publish_on_a_closed_transport() -> None:
        bus = await Bus.connect(nats_url, namespace=namespace, name="test")
        await bus.provision()
        bus._connection._client._transport._io_writer.transport.abort()  # type: ignore[attr-defined]
        for number in range(3):
            await asyncio.sleep(0)
            stored = await bus.publish_once(Outgoing(bus.subjects.event("A", str(number)), b"{}"))
            assert stored.sequence == number + 1
        await bus.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(publish_on_a_closed_transport())


async def test_an_answer_to_a_ping_that_comes_too_late_does_not_make_the_connection_deaf(server: NatsServer) -> None:
    bus = await connected(server)
    server.pause()
    with pytest.raises((TimeoutError, nats.errors.TimeoutError)):
        await bus._connection._client.flush(0.05)  # type: ignore[attr-defined]
    server.resume()
    await bus.position(EVENTS)
    assert bus.reconnects == 0
    await bus.close()


async def test_a_reader_that_follows_misses_nothing_and_repeats_nothing(server: NatsServer) -> None:
    bus = await connected(server)
    received: list[int] = []

    async def follow() -> None:
        async for message in bus.read(EVENTS, [bus.subjects.under("evt", ">")], follow=True):
            received.append(message.sequence)  # noqa: PERF401  an extend shows nothing before the end

    following = asyncio.create_task(follow())

    async def send_and_receive(sequence: int) -> None:
        await bus.publish_once(Outgoing(bus.subjects.event("A", str(sequence)), b"{}"))
        await wait_until(lambda: received == list(range(1, sequence + 1)))

    for sequence in (1, 2, 3):
        await send_and_receive(sequence)
        server.kill()
        server.start()
    await send_and_receive(4)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await bus.close()


async def test_a_handler_at_work_while_the_server_restarts_is_not_started_twice(server: NatsServer) -> None:
    bus = await connected(server)
    starts, release, stopping = [], asyncio.Event(), asyncio.Event()

    async def handler(message: Message) -> Verdict:
        starts.append(message.sequence)
        await release.wait()
        return Ack()

    consuming = asyncio.create_task(bus.consume(DISPATCHER_EVENTS, handler, in_flight=8, stopping=stopping))
    await bus.publish_once(Outgoing(bus.subjects.event("A", "1"), b"{}"))
    await wait_until(lambda: starts == [1])
    server.kill()
    server.start()
    await bus.publish_once(Outgoing(bus.subjects.event("A", "2"), b"{}"))
    await wait_until(lambda: 2 in starts)
    assert starts == [1, 2]
    release.set()
    stopping.set()
    await asyncio.wait_for(consuming, 10)
    await bus.close()


async def test_a_closed_bus_says_so_and_ends_what_uses_it(server: NatsServer) -> None:
    bus = await connected(server)

    async def handler(message: Message) -> Verdict:
        return Ack()

    consuming = asyncio.create_task(bus.consume(DISPATCHER_EVENTS, handler, in_flight=8, stopping=asyncio.Event()))
    closed = asyncio.create_task(bus.closed())
    await bus.close()
    await asyncio.wait_for(closed, 5)
    for use in (consuming, bus.publish_once(Outgoing(bus.subjects.event("A", "1"), b"{}")), bus.position(EVENTS)):
        with pytest.raises(BusError, match="is closed"):
            await asyncio.wait_for(use, 10)
    assert not bus.connected


async def test_closing_while_the_server_is_gone_is_no_error(server: NatsServer) -> None:
    bus = await connected(server)
    server.kill()
    await wait_until(lambda: not bus.connected)
    publishing = asyncio.create_task(bus.publish_once(Outgoing(bus.subjects.event("A", "1"), b"{}")))
    bus._connection.send("unsent", b"x")
    await bus.close()
    with pytest.raises(BusError, match="closed"):
        await publishing
