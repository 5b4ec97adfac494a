"""The bus: how fast facts are stored, consumed and looked up, beside the ways of nats-py that everyone uses.

Those are no floors: a request without a condition, and fetching by batches, each waited for, can take longer than ours.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import nats
from nats.aio.client import Client

from loopy.bus.client import Bus
from loopy.bus.messages import Ack, Message, Outgoing, Verdict
from loopy.bus.server import EmbeddedServer
from loopy.bus.streams import DISPATCHER_EVENTS, RUNS, consumer_name
from tests.bench.rows import Row

REPETITIONS = 5
COUNT = 5_000
WINDOW = 64
# What consumptions take in each repetition; they take a little more than that while they stop.
PART = COUNT * 9 // 10
LOOKUPS = 500
PAYLOAD = b'{"title": "It broke", "link": "https://example.org/1", "source": "sentry", "detail": "' + b"x" * 100 + b'"}'

Act = Callable[[int], Awaitable[object]]


def measure() -> list[Row]:
    """Publishing, consuming and looking up on an embedded server, and its start."""
    return asyncio.run(_measure())


async def _measure() -> list[Row]:
    with TemporaryDirectory() as directory:
        starts = [await _start(Path(directory) / f"start-{n}") for n in range(REPETITIONS)]
        server = await EmbeddedServer.start(Path(directory) / "store")
        plain = await nats.connect(server.url, pending_size=16 << 20)
        bus = await Bus.connect(server.url, namespace="bench", name="bench")
        try:
            await bus.provision()
            rows = [*await _publishing(bus, plain), *await _consuming(bus, plain), await _looking_up(bus)]
        finally:
            await bus.close()
            await plain.close()
            await server.stop()
    return [*rows, Row("embedded server listens", tuple(starts), "ms")]


async def _start(store: Path) -> float:
    """Milliseconds until a new server on a new store listens."""
    began = time.perf_counter()
    server = await EmbeddedServer.start(store)
    taken = (time.perf_counter() - began) * 1000
    await server.stop()
    return taken


async def _publishing(bus: Bus, plain: Client) -> list[Row]:
    usual, rates = [], []
    for repetition in range(REPETITIONS):

        async def raw(number: int, repetition: int = repetition) -> object:
            subject = bus.subjects.event("Raw", f"{repetition}-{number}")
            return await plain.request(subject, PAYLOAD, timeout=10)

        async def once(number: int, repetition: int = repetition) -> object:
            return await bus.publish_once(Outgoing(bus.subjects.event("Fact", f"{repetition}-{number}"), PAYLOAD))

        usual.append(await _rate(raw))
        rates.append(await _rate(once))
    return [
        Row(f"nats-py's request, {WINDOW} at once", tuple(usual), "/s"),
        Row(f"publish_once, {WINDOW} at once", tuple(rates), "/s", 5_000),
    ]


async def _rate(act: Act) -> float:
    """Repetitions a second of an act, as many at once as the window allows."""
    numbers = iter(range(COUNT))

    async def work() -> None:
        for number in numbers:
            await act(number)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(WINDOW)))
    return COUNT / (time.perf_counter() - began)


async def _consuming(bus: Bus, plain: Client) -> list[Row]:
    """The events that publishing left, consumed in as many parts as there are repetitions."""
    pull = await plain.jetstream().pull_subscribe_bind(
        consumer_name(bus.subjects, DISPATCHER_EVENTS), "BENCH_EVT", pending_msgs_limit=-1, pending_bytes_limit=-1
    )
    usual, rates = [], []
    for _ in range(REPETITIONS):
        began, taken = time.perf_counter(), 0
        while taken < PART:
            messages = await pull.fetch(250)
            taken += len(messages)
            await asyncio.gather(*(message.ack() for message in messages))
        usual.append(taken / (time.perf_counter() - began))
        rates.append(await _consume(bus))
    return [
        Row("nats-py's fetch of 250, then ack", tuple(usual), "/s"),
        Row("consume, 256 in flight", tuple(rates), "/s", 10_000),
    ]


async def _consume(bus: Bus) -> float:
    """Messages a second that a handler which does nothing is given, until it had its part."""
    taken, stopping = 0, asyncio.Event()

    async def handler(message: Message) -> Verdict:
        nonlocal taken
        taken += 1
        if taken == PART:
            stopping.set()
        return Ack()

    began = time.perf_counter()
    await bus.consume(DISPATCHER_EVENTS, handler, in_flight=256, stopping=stopping)
    return taken / (time.perf_counter() - began)


async def _looking_up(bus: Bus) -> Row:
    """Milliseconds of reading one run's journal of twelve facts, one read at a time."""
    for run in range(50):
        for step in range(12):
            await bus.publish_once(Outgoing(bus.subjects.result(f"r{run}", f"s{step}", 0, 1), PAYLOAD))
    taken = []
    for number in range(LOOKUPS):
        began = time.perf_counter()
        facts = await bus.last_each(RUNS, [bus.subjects.journal(f"r{number % 50}")])
        taken.append((time.perf_counter() - began) * 1000)
        assert len(facts) == 12
    return Row("last_each of a run of 12 facts", tuple(taken), "ms")
