"""No room left: on the server by its own limit, and on the disk itself. Publishers wait, and go on by themselves."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from loopy.bus.client import Bus, StreamFull
from loopy.bus.messages import Outgoing
from loopy.bus.provisioning import ensure_stream
from loopy.bus.streams import EVENTS, UNLIMITED, stream_config
from tests.support.nats_server import NatsServer

LARGE = b"x" * 200_000  # as large as fits into a message


async def with_events(server: NatsServer) -> Bus:
    """A bus with a stream of events that sets nothing aside, so that the server's limit is met before its own."""
    bus = await Bus.connect(server.url, namespace="full", name="test")
    await ensure_stream(bus._connection, {**stream_config(bus.subjects, EVENTS), "max_bytes": UNLIMITED})
    return bus


async def fill(bus: Bus) -> list[int]:
    """Publish until the server has no room, or gives no answer; the sequences of what it acknowledged."""
    acknowledged: list[int] = []
    for number in range(60):
        try:
            async with asyncio.timeout(1):
                acknowledged.append((await bus.publish_once(event(bus, number))).sequence)
        except TimeoutError:
            return acknowledged
    raise AssertionError("there is room for everything")


def event(bus: Bus, number: int) -> Outgoing:
    return Outgoing(bus.subjects.event("A", str(number)), LARGE)


async def test_a_server_without_storage_left_is_a_full_stream_until_something_is_deleted(tmp_path: Path) -> None:
    server = NatsServer(tmp_path, max_file_store="2MB")
    server.start()
    bus = await with_events(server)
    await fill(bus)
    with pytest.raises(StreamFull, match="FULL_EVT is full: insufficient resources"):
        await bus.hurried().publish_once(event(bus, 98))
    waiting = asyncio.create_task(bus.publish_once(event(bus, 99)))
    done, _ = await asyncio.wait({waiting}, timeout=0.3)
    assert not done
    for sequence in (1, 2, 3):
        assert await bus.delete(EVENTS, sequence)
    assert (await asyncio.wait_for(waiting, 10)).first
    await bus.close()
    server.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes; skipped where none may be made."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("a small file system can only be made by root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def grow(disk: Path) -> None:
    """Give the small file system more room."""
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)


async def test_a_full_disk_loses_nothing_that_was_acknowledged_and_publishers_outlast_it(
    tmp_path: Path, small_disk: Path
) -> None:
    """The server writes nothing more to a stream whose disk was full once, until it is started again."""
    server = NatsServer(tmp_path, store=small_disk)
    server.start()
    bus = await with_events(server)
    acknowledged = await fill(bus)
    waiting = asyncio.create_task(bus.publish_once(event(bus, 99)))
    assert await bus.last(EVENTS, bus.subjects.event("A", "0")) is not None
    server.kill()
    grow(small_disk)
    server.start()
    assert (await asyncio.wait_for(waiting, 20)).first
    found = [message.sequence async for message in bus.read(EVENTS, [bus.subjects.under("evt", ">")])]
    assert found[: len(acknowledged)] == acknowledged
    await bus.close()
    server.stop()
