"""Publishing: the first writer wins, compare-and-set, and what is refused."""

import asyncio

import pytest

from loopy.bus.api import check_reply
from loopy.bus.client import Bus, BusError, MessageTooLarge, StreamFull
from loopy.bus.messages import Outgoing, Stored
from loopy.bus.streams import EVENTS, RUNS
from loopy.bus.writing import was_first
from tests.contract.conftest import Connect


async def test_the_first_writer_of_a_subject_wins_and_the_second_learns_where_it_stands(
    bus: Bus, connect: Connect
) -> None:
    other = await connect("other")
    subject = bus.subjects.start("run-1")
    outcomes = await asyncio.gather(
        *(writer.publish_once(Outgoing(subject, b"%d" % n)) for n in range(10) for writer in (bus, other))
    )
    assert sorted(outcome.first for outcome in outcomes) == [False] * 19 + [True]
    assert {outcome.sequence for outcome in outcomes} == {1}
    assert [message.sequence async for message in bus.read(RUNS, [subject])] == [1]


async def test_a_fact_is_not_written_over_by_one_who_does_not_ask_whether_there_is_one(bus: Bus) -> None:
    fact = bus.subjects.result("r", "s", 0, 1)
    await bus.publish_once(Outgoing(fact, b"first"))
    reply = await bus._connection.request(fact, b"second", {})
    with pytest.raises(StreamFull, match="per subject"):
        check_reply(reply, "a stranger's publish")
    assert [message.payload async for message in bus.read(RUNS, [fact])] == [b"first"]
    assert (await bus.publish_once(Outgoing(bus.subjects.result("r", "s", 0, 2), b"next"))).first


async def test_a_message_keeps_its_bytes_and_headers(bus: Bus) -> None:
    subject = bus.subjects.start("run-1")
    await bus.publish_once(Outgoing(subject, b"\x00\xff", {"Loopy-A": "ä ö", "Loopy-B": "1"}))
    message = await bus.last(RUNS, subject)
    assert message is not None
    assert (message.payload, message.headers["Loopy-A"], message.headers["Loopy-B"]) == (b"\x00\xff", "ä ö", "1")
    assert (message.stream, message.subject, message.sequence, message.deliveries) == ("RUN", subject, 1, 0)
    assert message.time.tzinfo is not None


async def test_a_compare_and_set_holds_only_while_nothing_newer_matches_the_scope(bus: Bus) -> None:
    subjects, scope = bus.subjects, bus.subjects.cascade("c")
    first = await bus.publish_after(Outgoing(subjects.routed("c", "e1"), b"1"), scope=scope, sequence=0)
    assert first == Stored(1, first=True)
    elsewhere = await bus.publish_after(
        Outgoing(subjects.routed("d", "e1"), b"1"), scope=subjects.cascade("d"), sequence=0
    )
    assert elsewhere == Stored(2, first=True)
    assert await bus.publish_after(Outgoing(subjects.routed("c", "e2"), b"2"), scope=scope, sequence=0) is None
    assert await bus.publish_after(Outgoing(subjects.routed("c", "e2"), b"2"), scope=scope, sequence=1) is not None


async def test_a_message_beyond_the_servers_limit_is_refused_before_it_is_sent(bus: Bus) -> None:
    subject = bus.subjects.plan("big")  # what does not lie beside its message when it is large
    payload = b"x" * (bus.max_payload - 10)
    with pytest.raises(MessageTooLarge, match=rf"{subject} has 8,388,\d+ bytes of headers and payload, .* 8,388,608"):
        await bus.publish_once(Outgoing(subject, payload))
    with pytest.raises(MessageTooLarge, match="bytes of headers"):
        await bus.publish_once(Outgoing(subject, b"", {"Loopy-Long": "x" * 70_000}))
    with pytest.raises(MessageTooLarge, match="bytes of subject"):
        await bus.publish_once(Outgoing(bus.subjects.event("Long", "x" * 4_000), b""))
    assert bus.connected
    assert (await bus.publish_once(Outgoing(subject, payload[:-100]))).first


@pytest.mark.parametrize("subject", ["has space", "", "line\r\nbreak"])
async def test_what_is_no_subject_is_an_error(bus: Bus, subject: str) -> None:
    with pytest.raises(BusError, match="cannot be sent to"):
        await bus.publish_once(Outgoing(subject, b""))


async def test_a_full_stream_refuses_and_the_publisher_waits_until_there_is_room(bus: Bus) -> None:
    subjects = bus.subjects
    connection = bus._connection
    name = f"{subjects.namespace.upper()}_EVT"
    config = (await connection.api(f"STREAM.INFO.{name}", {}))["config"]
    await connection.api(f"STREAM.UPDATE.{name}", {**config, "max_msgs": 1})
    assert (await bus.publish_once(Outgoing(subjects.event("A", "1"), b""))).first
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await bus.publish_once(Outgoing(subjects.event("A", "2"), b""))
    assert [message.subject for message in await bus.last_each(EVENTS, [subjects.under("evt", ">")])] == [
        subjects.event("A", "1")
    ]
    waiting = asyncio.create_task(bus.publish_once(Outgoing(subjects.event("A", "2"), b"")))
    await connection.api(f"STREAM.UPDATE.{name}", config)
    assert (await asyncio.wait_for(waiting, 5)).first


async def test_a_message_tells_whether_it_had_to_be_the_first_of_its_subject(bus: Bus) -> None:
    subject, scope = bus.subjects.event("A", "1"), bus.subjects.under("evt", ">")
    await bus.publish_once(Outgoing(subject, b"first"))
    await bus.publish_after(Outgoing(subject, b"second"), scope=scope, sequence=1)
    await bus._connection.request(subject, b"a stranger's")
    stored = [message async for message in bus.read(EVENTS, [subject])]
    assert [was_first(message) for message in stored] == [True, False, False]
