"""Sending to a server that does not take what it is sent: it is refused after a while, not kept without end."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from nats.errors import OutboundBufferLimitError

from loopy.bus.tolerant import TolerantClient
from loopy.bus.wire import Arrived, publication
from tests.support.waiting import wait_until

LIMIT = 1 << 20
INFO = {"server_id": "x", "version": "2.15.0", "max_payload": 8 << 20, "headers": True, "proto": 1}


@asynccontextmanager
async def listening(serve: Callable[[asyncio.StreamReader], AsyncIterator[None]]) -> AsyncIterator[TolerantClient]:
    """A client of a server that goes on as `serve` says once the client is connected."""
    done, ended = asyncio.Event(), asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"INFO {json.dumps(INFO)}\r\n".encode())
        while not (await reader.readline()).startswith(b"PING"):
            pass
        writer.write(b"PONG\r\n")
        async for _ in serve(reader):
            pass
        await done.wait()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=LIMIT)
    client = TolerantClient()
    await client.connect(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}", pending_size=LIMIT)
    try:
        yield client
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(client.close(), 2)
        done.set()
        await ended.wait()
        server.close()


async def test_what_a_server_does_not_take_is_refused_and_taken_again_when_it_does() -> None:
    takes = asyncio.Event()

    async def serve(reader: asyncio.StreamReader) -> AsyncIterator[None]:
        await takes.wait()
        while await reader.read(1 << 20):
            yield

    async with listening(serve) as client:
        piece = publication("a", "", b"x" * (LIMIT // 4))

        def is_refused() -> bool:
            try:
                client.send(piece)
            except OutboundBufferLimitError:
                return True
            return False

        await wait_until(is_refused)
        takes.set()
        await wait_until(lambda: not is_refused())


async def test_what_is_sent_in_one_turn_of_the_loop_arrives_in_order(nats_url: str) -> None:
    client, got = TolerantClient(), list[bytes]()
    await client.connect(nats_url)

    def receive(message: Arrived) -> None:
        got.append(message.data)

    subscription = await client.receive("order.>", receive)
    for number in range(500):
        client.send(publication(f"order.{number}", "", b"%d" % number, {"A": "b"} if number % 2 else None))
    await client.flush()
    assert got == [b"%d" % number for number in range(500)]
    await subscription.unsubscribe()
    client.send(publication("order.late", "", b"late"))
    await client.flush()
    assert len(got) == 500
    await client.close()


async def test_a_flush_that_is_cancelled_as_its_answer_comes_is_cancelled(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = TolerantClient()
    await client.connect(nats_url)
    asked: list[asyncio.Future[bool]] = []

    async def ask(answer: asyncio.Future[bool]) -> None:
        asked.append(answer)

    monkeypatch.setattr(client, "_send_ping", ask)

    async def has_asked() -> bool:
        return bool(asked)

    flushing = asyncio.create_task(client.flush())
    await wait_until(has_asked)
    asked[0].set_result(True)
    flushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flushing
    await client.close()
