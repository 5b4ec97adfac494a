"""A webhook answered after the stream's acknowledgement, at one client, beside the publish that it cannot do without.

The ingress is a process of its own and maps what it accepted while the next delivery comes; the client keeps one
connection open. The floor is the same delivery published by the client itself, in the same run.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from loopy.bus.client import Bus
from loopy.bus.codec import Delivery, delivery_message
from loopy.bus.server import EmbeddedServer
from tests.bench.rows import Row
from tests.support.files import write_files
from tests.support.services import process

COUNT = 1000
PORTION = 200
WARM_UP = 100
TARGET_MS = 2.0
BODY = json.dumps({"data": {"issue": {"id": "1", "title": "It broke", "permalink": "https://example.org/1"}}}).encode()
FILES = {
    "registry.yml": "events:\n  Incident: { title: str, link: url }\n",
    "sensors/sensors.py": """
from loopy import sensor
from loopy.events import Incident

@sensor(webhook="/hooks/sentry", emits="Incident")
def sentry_issues(req):
    issue = req.json["data"]["issue"]
    return Incident(title=issue["title"], link=issue["permalink"])
""",
}


def measure() -> list[Row]:
    """The webhook at its median and its 99th percentile, and the floor of each."""
    return asyncio.run(_measure())


async def _measure() -> list[Row]:
    with TemporaryDirectory() as directory:
        project = Path(directory) / "project"
        write_files(project, FILES)
        server = await EmbeddedServer.start(Path(directory) / "store")
        try:
            return await _rows(project, server.url)
        finally:
            await server.stop()


async def _rows(project: Path, nats_url: str) -> list[Row]:
    async with process("ingress", project, nats_url, "bench", LOOPY_LOG_FORMAT="json") as ingress:
        port = await _port(ingress)
        drain = asyncio.create_task(_drain(ingress))
        bus = await Bus.connect(nats_url, namespace="bench", name="bench")
        floor = await _timed(lambda number: _publish(bus, number))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        webhook = await _timed(lambda number: _post(reader, writer, number))
        writer.close()
        await bus.close()
        drain.cancel()
    return [
        Row("webhook, answered after the ack", tuple(webhook), "ms", TARGET_MS, statistics.median(floor)),
        Row("the same, 99th percentile", _percentiles(webhook), "ms", floor=statistics.median(_percentiles(floor))),
    ]


async def _timed(act: Callable[[int], Awaitable[None]]) -> list[float]:
    """Milliseconds of each repetition, one at a time, after a warm-up."""
    taken: list[float] = []
    for number in range(WARM_UP + COUNT):
        began = time.perf_counter()
        await act(number)
        taken.append((time.perf_counter() - began) * 1000)
    return taken[WARM_UP:]


async def _publish(bus: Bus, number: int) -> None:
    delivery = Delivery("nobody", f"p-{number}", "/hooks/sentry", {}, {}, BODY, datetime.now(UTC))
    await bus.publish_once(delivery_message(bus.subjects, delivery))


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    head = (
        f"POST /hooks/sentry HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Request-ID: w-{number}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    writer.write(head.encode() + BODY)
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 202"), answer
    await reader.readexactly(int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))


async def _port(ingress: asyncio.subprocess.Process) -> int:
    """Where the ingress listens, once it is ready."""
    assert ingress.stderr is not None
    async for line in ingress.stderr:
        said = json.loads(line)
        if said["event"] == "services.ready":
            return int(said["url"].rpartition(":")[2])
    raise AssertionError("the ingress did not start")


async def _drain(ingress: asyncio.subprocess.Process) -> None:
    """Take the log lines, so that the ingress never waits for somebody to read them."""
    assert ingress.stderr is not None
    while await ingress.stderr.read(1 << 16):
        pass


def _percentiles(taken: list[float]) -> tuple[float, ...]:
    """The 99th percentile of each portion."""
    portions = [taken[start : start + PORTION] for start in range(0, len(taken), PORTION)]
    return tuple(statistics.quantiles(portion, n=100)[98] for portion in portions)
