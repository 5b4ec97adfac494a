"""Connecting: what is wrong with a server is said in one sentence, without its credentials."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from loopy.bus.client import Bus, BusError
from loopy.bus.messages import Ack, Message, Outgoing, Verdict
from loopy.bus.provisioning import as_may_be, ensure_stream
from loopy.bus.streams import (
    ATTEMPTS,
    DISPATCHER_EVENTS,
    EVENTS,
    LEASES,
    RUNS,
    Durability,
    stream_config,
    stream_name,
)
from loopy.bus.subjects import Subjects
from tests.support.nats_server import NatsServer
from tests.support.waiting import wait_until


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[NatsServer]:
    """A server that wants a token."""
    server = NatsServer(tmp_path, token="s3cret-token")
    server.start()
    yield server
    server.kill()


@asynccontextmanager
async def pretending(info: dict[str, object]) -> AsyncIterator[int]:
    """A port where something says that it is a NATS server and answers every ping, no more."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"INFO {json.dumps(info)}\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
            elif line.startswith(b"PUB $JS.API.INFO "):
                reply = line.split()[2]
                writer.write(b"HMSG %b 2 16 16\r\nNATS/1.0 503\r\n\r\n\r\n" % reply)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_server_older_than_2_12_is_refused_with_the_reason() -> None:
    async with pretending({"version": "2.11.9", "max_payload": 1_000_000, "headers": True, "proto": 1}) as port:
        with pytest.raises(BusError, match=r"is version 2\.11; Loopy needs 2\.12 or newer, for scheduled messages"):
            await Bus.connect(f"nats://127.0.0.1:{port}", name="test")


async def test_a_server_without_jetstream_is_refused_with_the_reason(tmp_path: Path) -> None:
    server = NatsServer(tmp_path, jetstream=False)
    server.start()
    try:
        with pytest.raises(BusError, match="has no JetStream: enable it"):
            await Bus.connect(server.url, name="test")
    finally:
        server.kill()


async def test_a_server_that_cannot_be_reached_is_told_at_once() -> None:
    async with asyncio.timeout(2):
        with pytest.raises(BusError) as caught:
            await Bus.connect("nats://user:s3cret-token@127.0.0.1:1", name="test")
    assert str(caught.value) == ("cannot reach NATS at nats://127.0.0.1:1: connection refused: is the server running?")


async def test_wrong_credentials_are_told_and_not_shown(guarded: NatsServer) -> None:
    for wrong in (f"nats://wr0ng-token@127.0.0.1:{guarded.port}", f"nats://127.0.0.1:{guarded.port}"):
        with pytest.raises(BusError, match="it refuses the credentials") as caught:
            await Bus.connect(wrong, name="test")
        assert "wr0ng" not in str(caught.value)


async def test_what_is_no_nats_server_is_told() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(BusError, match=r"cannot reach NATS at .* empty response"):
        await Bus.connect(f"nats://127.0.0.1:{port}", name="test")
    server.close()


@pytest.mark.parametrize("url", ["", "http://s3cret@x", "127.0.0.1:4222", "nats://", "nats://s3cret@h:port", "://"])
async def test_what_is_no_address_is_told_without_its_credentials(url: str) -> None:
    with pytest.raises(BusError) as caught:
        await Bus.connect(url, name="test")
    assert "s3cret" not in str(caught.value)


async def test_one_of_several_servers_is_enough(guarded: NatsServer) -> None:
    bus = await Bus.connect(f"nats://127.0.0.1:1,{guarded.url}", name="test")
    assert bus.connected
    await bus.close()


async def test_several_may_provision_at_once_and_again(nats_url: str, namespace: str) -> None:
    buses = [await Bus.connect(nats_url, namespace=namespace, name=f"service-{n}") for n in range(5)]
    await asyncio.gather(*(bus.provision(pools=("default", f"pool-{n}")) for n, bus in enumerate(buses)))
    await buses[0].publish_once(Outgoing(buses[0].subjects.start("r"), b"{}"))
    await buses[1].provision()
    assert await buses[2].position(RUNS) == 1
    for bus in buses:
        await bus.close()


async def test_a_stream_is_brought_up_to_date_and_what_cannot_be_changed_is_told(bus: Bus) -> None:
    config = stream_config(bus.subjects, EVENTS)
    await ensure_stream(bus._connection, {**config, "max_age": 3_600_000_000_000})
    await bus.provision()
    stored = await bus._connection.api(f"STREAM.INFO.{config['name']}", {})
    assert stored["config"]["max_age"] == config["max_age"]
    with pytest.raises(BusError, match=f"stream {config['name']} cannot be made as Loopy needs it: .* storage type"):
        await ensure_stream(bus._connection, {**config, "storage": "memory"})


def test_a_service_that_knows_of_one_server_leaves_a_stream_its_three_replicas() -> None:
    config = stream_config(Subjects(), EVENTS, replicas=1)
    assert as_may_be(config, {**config, "num_replicas": 3}) == {**config, "num_replicas": 3}
    assert as_may_be({**config, "num_replicas": 3}, config)["num_replicas"] == 3


@pytest.mark.parametrize(
    ("existing", "kept"), [(EVENTS.max_bytes * 2, EVENTS.max_bytes * 2), (1, EVENTS.max_bytes), (-1, -1)]
)
def test_a_stream_keeps_the_room_that_an_operator_gave_it(existing: int, kept: int) -> None:
    config = stream_config(Subjects(), EVENTS)
    assert as_may_be(config, {**config, "max_bytes": existing}) == {**config, "max_bytes": kept}


@pytest.mark.parametrize(("first", "then"), [("process", "power-loss"), ("power-loss", "process")])
async def test_a_stream_stays_written_as_it_was_made(
    first: Durability, then: Durability, nats_url: str, namespace: str
) -> None:
    bus = await Bus.connect(nats_url, namespace=namespace, name="test")
    await bus.provision(durability=first)
    await bus.provision(durability=then)
    modes = {}
    for stream in (RUNS, ATTEMPTS, LEASES):
        info = await bus._connection.api(f"STREAM.INFO.{stream_name(bus.subjects, stream)}", {})
        modes[stream.name] = info["config"].get("persist_mode")
    soon = "async" if first == "power-loss" else None
    assert modes == {"RUN": None, "ATTEMPT": soon, "LEASE": soon}
    await bus.close()


async def test_two_namespaces_of_one_server_do_not_meet(bus: Bus, nats_url: str, namespace: str) -> None:
    other = await Bus.connect(nats_url, namespace=f"{namespace}-b", name="other")
    await other.provision()
    await other.publish_once(Outgoing(other.subjects.start("r"), b"{}"))
    assert await bus.position(RUNS) == 0
    await other.close()


async def test_bytes_that_are_no_text_stop_nobody(bus: Bus, nats_url: str, namespace: str) -> None:
    got: list[Message] = []
    stopping = asyncio.Event()

    async def handler(message: Message) -> Verdict:
        got.append(message)
        return Ack()

    consuming = asyncio.create_task(bus.consume(DISPATCHER_EVENTS, handler, in_flight=4, stopping=stopping))
    _, writer = await asyncio.open_connection("127.0.0.1", int(nats_url.rpartition(":")[2]))
    subject = namespace.encode() + b".evt.A."
    writer.write(b'CONNECT {"verbose":false,"headers":true}\r\n')
    writer.write(b"PUB %b\xff\xfe 2\r\n{}\r\n" % subject)
    for number, head in enumerate(
        (b"NATS/1.0 \xff\xfe\xfd\r\n\r\n", b"NATS/1.0\r\n\xff: \xff\r\n\r\n", b"NATS/1.0 x\r\n\r\n")
    ):
        writer.write(b"HPUB %b%d %d %d\r\n%b{}\r\n" % (subject, number, len(head), len(head) + 2, head))
    await writer.drain()
    await wait_until(lambda: len(got) >= 4)
    await bus.publish_once(Outgoing(bus.subjects.event("A", "last"), b"{}"))
    await wait_until(lambda: got[-1].subject.endswith(".last"))
    assert len([m async for m in bus.read(EVENTS, [bus.subjects.under("evt", ">")])]) == len(got)
    stopping.set()
    await consuming
    writer.close()
