"""Deleting one message, how full a stream is, and what becomes of those who publish to a full one."""

import asyncio
import logging

import pytest

from loopy.bus.client import Bus, StreamFull
from loopy.bus.messages import Ack, Message, Outgoing, Verdict
from loopy.bus.streams import DISPATCHER_EVENTS, EVENTS, RUNS, stream_name
from tests.contract.conftest import Connect
from tests.support.waiting import wait_until


async def fill(bus: Bus, count: int) -> None:
    """So many events of type A, on the sequences from 1 on."""
    for number in range(1, count + 1):
        await bus.publish_once(Outgoing(bus.subjects.event("A", str(number)), b"x" * 100))


async def limit(bus: Bus, **limits: int) -> None:
    """Give the stream of events other limits."""
    name = stream_name(bus.subjects, EVENTS)
    config = (await bus._connection.api(f"STREAM.INFO.{name}", {}))["config"]
    await bus._connection.api(f"STREAM.UPDATE.{name}", {**config, **limits})


async def test_a_message_is_deleted_by_its_sequence_and_no_other_is(bus: Bus) -> None:
    await fill(bus, 3)
    assert await bus.delete(EVENTS, 2)
    assert [m.sequence async for m in bus.read(EVENTS, [bus.subjects.under("evt", ">")])] == [1, 3]
    assert await bus.last(EVENTS, bus.subjects.event("A", "2")) is None
    assert await bus.position(EVENTS) == 3


async def test_what_is_not_there_is_deleted_without_complaint(bus: Bus) -> None:
    await fill(bus, 2)
    assert await bus.delete(EVENTS, 1)
    assert [await bus.delete(EVENTS, sequence) for sequence in (1, 7, 99)] == [False] * 3
    assert not await bus.delete(RUNS, 1)


async def test_a_subject_whose_message_was_deleted_can_be_written_once_more(bus: Bus) -> None:
    await fill(bus, 1)
    await bus.delete(EVENTS, 1)
    subject = bus.subjects.event("A", "1")
    assert (await bus.publish_once(Outgoing(subject, b"again"))).first
    assert not (await bus.publish_once(Outgoing(subject, b"and again"))).first


async def test_a_consumer_passes_over_what_was_deleted(bus: Bus) -> None:
    await fill(bus, 5)
    for sequence in (1, 3, 5):
        await bus.delete(EVENTS, sequence)
    seen: list[int] = []

    async def note(message: Message) -> Verdict:
        seen.append(message.sequence)
        return Ack()

    stopping = asyncio.Event()
    consuming = asyncio.create_task(bus.consume(DISPATCHER_EVENTS, note, in_flight=2, stopping=stopping))
    await wait_until(lambda: len(seen) == 2)
    assert sorted(seen) == [2, 4]

    async def is_done() -> bool:
        return await bus.lag(DISPATCHER_EVENTS) == 0

    await wait_until(is_done)
    stopping.set()
    await consuming


async def test_a_stream_tells_how_full_it_is(bus: Bus) -> None:
    empty = await bus.room(EVENTS)
    assert (empty.messages, empty.bytes, empty.fullness) == (0, 0, 0.0)
    await fill(bus, 3)
    await limit(bus, max_bytes=1_000)
    room = await bus.room(EVENTS)
    assert (room.messages, room.most_bytes) == (3, 1_000)
    assert room.bytes >= 300
    assert room.fullness == room.bytes / 1_000
    await limit(bus, max_bytes=-1)
    assert (await bus.room(EVENTS)).fullness == 0.0


async def test_whoever_is_waited_for_is_told_of_a_full_stream(bus: Bus) -> None:
    await limit(bus, max_msgs=1)
    await fill(bus, 1)
    with pytest.raises(StreamFull, match=f"the stream {stream_name(bus.subjects, EVENTS)} is full: maximum messages"):
        await bus.hurried().publish_once(Outgoing(bus.subjects.event("A", "2"), b""))
    after = Outgoing(bus.subjects.event("A", "3"), b"")
    with pytest.raises(StreamFull):
        await bus.hurried().publish_after(after, scope=after.subject, sequence=0)
    assert not (await bus.hurried().publish_once(Outgoing(bus.subjects.event("A", "1"), b""))).first


async def test_whoever_waits_for_room_says_so_once_and_goes_on_when_something_was_deleted(
    bus: Bus, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    await limit(bus, max_msgs=1)
    await fill(bus, 1)
    writers = [await connect(f"writer-{number}") for number in range(3)]
    with caplog.at_level(logging.WARNING, "loopy.bus"):
        waiting = [
            asyncio.create_task(writer.publish_once(Outgoing(bus.subjects.event("B", str(number)), b"")))
            for number, writer in enumerate(writers)
        ]
        await wait_until(lambda: any(record.message == "bus.full" for record in caplog.records))
        await limit(bus, max_msgs=3)
        await bus.delete(EVENTS, 1)
        assert all(stored.first for stored in await asyncio.gather(*waiting))
    told = [record for record in caplog.records if record.message == "bus.full"]
    assert [record.stream for record in told] == [stream_name(bus.subjects, EVENTS)]  # type: ignore[attr-defined]
