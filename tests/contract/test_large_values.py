"""Large values: they lie beside their messages, and nobody above the bus can tell."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

import loopy.bus.messages
from loopy.bus.blobs import LostBlob
from loopy.bus.claims import CHUNK_BYTES, CLAIM_HEADER, PLACEHOLDER, blob_subjects, claim_to, claiming, read_claim
from loopy.bus.client import Bus, MessageTooLarge
from loopy.bus.codec import Delivery, delivery_message
from loopy.bus.deadletters import Unsettled, replay_dead, with_original
from loopy.bus.deliveries import newest_deliveries
from loopy.bus.messages import Ack, Message, Outgoing, Verdict
from loopy.bus.reading import Reader
from loopy.bus.streams import BLOBS, DISPATCHER_EVENTS, DISPATCHER_TIMERS, EVENTS, PLANS, RUNS, Consumer
from loopy.bus.writing import publish_once
from loopy.clock import rfc3339
from tests.contract.conftest import Connect
from tests.contract.test_consuming import consuming, settled
from tests.contract.test_dead_letters import NOW, Refusing, one_letter
from tests.support.waiting import wait_until

LARGE = b"".join(b"%07d\n" % number for number in range(160_000))  # 1.2 MiB, so three chunks, no two alike


async def stored(bus: Bus, subject: str) -> Message:
    """The message as it is stored, its claim not redeemed."""
    stream = next(stream for stream in (EVENTS, RUNS) if subject.startswith(bus.subjects.under(stream.prefixes[0], "")))
    message = await Reader(bus._connection, bus.subjects).last(stream, subject)
    assert message is not None
    return message


async def chunks(bus: Bus) -> list[Message]:
    async with aclosing(bus.read(BLOBS, [bus.subjects.under("blob", ">")])) as messages:
        return [message async for message in messages]


async def given(bus: Bus, consumer: Consumer = DISPATCHER_EVENTS, most: int = 1) -> list[Message]:
    """What the first messages of a consumer look like to its handler."""
    seen: list[Message] = []

    async def handler(message: Message) -> Verdict:
        seen.append(message)
        return Ack()

    async with consuming(bus, handler, consumer=consumer):
        await wait_until(lambda: len(seen) >= most)
        await settled(bus, consumer)
    return seen


async def purge(bus: Bus, subject: str) -> None:
    """Have chunks vanish, as an operator's mistake does."""
    await bus._connection.api(f"STREAM.PURGE.{bus.subjects.namespace.upper()}_BLOB", {"filter": subject})


async def test_a_large_value_lies_in_chunks_beside_its_message_and_is_given_to_whoever_reads_it(bus: Bus) -> None:
    subject = bus.subjects.event("Big", "1")
    published = await bus.publish_once(Outgoing(subject, LARGE, {"ce-type": "Big"}))
    raw = await stored(bus, subject)
    claim = read_claim(raw.headers)
    assert (raw.payload, claim.size, claim.chunks) == (PLACEHOLDER, len(LARGE), 3)
    assert max(chunk.time for chunk in await chunks(bus)) <= raw.time, "the blob is stored before its message"
    assert [len(chunk.payload) for chunk in sorted(await chunks(bus), key=lambda chunk: chunk.subject)] == [
        CHUNK_BYTES,
        CHUNK_BYTES,
        len(LARGE) - 2 * CHUNK_BYTES,
    ]
    one = await bus.last(EVENTS, subject)
    [each] = await bus.last_each(EVENTS, [subject])
    [read] = [message async for message in bus.read(EVENTS, [subject])]
    [consumed] = await given(bus)
    for message in (one, each, read, consumed):
        assert message is not None
        assert (message.payload, message.subject, message.sequence) == (LARGE, subject, published.sequence)
        assert message.headers["ce-type"] == "Big"
        assert CLAIM_HEADER not in message.headers
        assert message.blob == claim.blob


async def test_whoever_watches_a_tap_is_given_large_events_whole(bus: Bus) -> None:
    async with aclosing(bus.watch(bus.subjects.under("tap", "evt", ">"))) as passing:
        first = asyncio.ensure_future(anext(passing))
        numbers = iter(range(1000))

        async def has_passed() -> bool:
            await bus.publish_once(Outgoing(bus.subjects.event("Big", str(next(numbers))), LARGE))
            return first.done()

        await wait_until(has_passed)
        message = await first
    assert (message.payload, message.headers["Nats-Stream"].rpartition("_")[2]) == (LARGE, "EVT")


async def test_the_threshold_is_exact_and_what_is_below_it_stays_in_its_message(bus: Bus) -> None:
    most = bus.limits.claim_bytes
    small, large = bus.subjects.event("A", "small"), bus.subjects.event("A", "large")
    await bus.publish_once(Outgoing(small, b"x" * most))
    await bus.publish_once(Outgoing(large, b"x" * (most + 1)))
    assert CLAIM_HEADER not in (await stored(bus, small)).headers
    assert CLAIM_HEADER in (await stored(bus, large)).headers


async def test_two_writers_of_one_value_store_it_once_and_the_second_learns_so(bus: Bus, connect: Connect) -> None:
    other, subject = await connect("other"), bus.subjects.start("run-1")
    outcomes = await asyncio.gather(*(writer.publish_once(Outgoing(subject, LARGE)) for writer in (bus, other, bus)))
    assert sorted(outcome.first for outcome in outcomes) == [False, False, True]
    assert len(await chunks(bus)) == 3
    message = await bus.last(RUNS, subject)
    assert message is not None
    assert message.payload == LARGE


async def test_two_writers_of_different_values_leave_the_first_ones_value(bus: Bus, connect: Connect) -> None:
    other, subject = await connect("other"), bus.subjects.start("run-1")
    values = (LARGE, LARGE[::-1])
    ours, theirs = await asyncio.gather(
        bus.publish_once(Outgoing(subject, values[0])), other.publish_once(Outgoing(subject, values[1]))
    )
    assert ours.first != theirs.first
    message = await bus.last(RUNS, subject)
    assert message is not None
    assert message.payload == values[0 if ours.first else 1]


async def test_a_writer_that_died_between_the_chunks_is_made_good_by_the_next(bus: Bus) -> None:
    message = Outgoing(bus.subjects.event("Big", "1"), LARGE)
    claim = claim_to(message, bus.max_payload)
    await publish_once(
        bus._connection, Outgoing(bus.subjects.chunk(claim.blob, 1), LARGE[CHUNK_BYTES : 2 * CHUNK_BYTES])
    )
    assert (await bus.publish_once(message)).first
    assert len(await chunks(bus)) == 3
    [seen] = await given(bus)
    assert seen.payload == LARGE


async def test_a_compare_and_set_of_a_large_value_holds_only_while_nothing_newer_is_there(bus: Bus) -> None:
    scope, subject = bus.subjects.cascade("c"), bus.subjects.routed("c", "e1")
    assert await bus.publish_after(Outgoing(subject, LARGE), scope=scope, sequence=0)
    assert await bus.publish_after(Outgoing(bus.subjects.routed("c", "e2"), LARGE), scope=scope, sequence=0) is None
    message = await bus.last(RUNS, subject)
    assert message is not None
    assert message.payload == LARGE


async def test_what_is_delivered_again_is_whole_again(bus: Bus) -> None:
    seen: list[tuple[int, bytes]] = []

    async def handler(message: Message) -> Verdict:
        seen.append((message.deliveries, message.payload))
        if message.deliveries == 1:
            raise RuntimeError("broken")
        return Ack()

    await bus.publish_once(Outgoing(bus.subjects.event("Big", "1"), LARGE))
    async with consuming(bus, handler, consumer=DISPATCHER_EVENTS):
        await settled(bus, DISPATCHER_EVENTS)
    assert seen == [(1, LARGE), (2, LARGE)]


async def test_a_timer_that_carries_a_large_value_fires_with_it(bus: Bus) -> None:
    fires = bus.subjects.under("fire", "run", "a", "1")
    headers = {
        "Nats-Schedule": f"@at {rfc3339(datetime.now(UTC) + timedelta(seconds=0.2))}",
        "Nats-Schedule-Target": fires,
    }
    await bus.publish_once(Outgoing(bus.subjects.under("timer", "run", "a", "1"), LARGE, headers))
    [fired] = await given(bus, DISPATCHER_TIMERS)
    assert (fired.subject, fired.payload) == (fires, LARGE)


async def test_a_value_beyond_what_may_be_stored_is_refused_before_anything_is(connect: Connect) -> None:
    bus = await connect("test")
    await bus.provision()
    bus.limits = msgspec.structs.replace(bus.limits, largest_value_bytes=1 << 20)
    with pytest.raises(
        MessageTooLarge, match=r"has 1,280,000 bytes of payload, LOOPY_LARGEST_VALUE_BYTES .* 1,048,576"
    ):
        await bus.publish_once(Outgoing(bus.subjects.event("Big", "1"), LARGE))
    assert await chunks(bus) == []


async def test_what_a_stranger_publishes_large_in_one_message_is_left_as_it_is(bus: Bus) -> None:
    subject = bus.subjects.event("Big", "1")
    await publish_once(bus._connection, Outgoing(subject, LARGE))
    [seen] = await given(bus)
    assert (seen.payload, seen.blob) == (LARGE, "")
    assert await chunks(bus) == []


async def test_a_plan_is_kept_longer_than_any_blob_and_stays_in_its_message(bus: Bus) -> None:
    await bus.publish_once(Outgoing(bus.subjects.plan("abc"), LARGE))
    plan = await bus.last(PLANS, bus.subjects.plan("abc"))
    assert plan is not None
    assert (plan.payload, plan.blob) == (LARGE, "")


async def test_a_chunk_that_is_missing_is_waited_for_and_then_the_message_is_set_aside(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loopy.bus.messages, "PATIENCE", 2)
    subject, refusing = bus.subjects.event("Big", "1"), Refusing()
    await bus.publish_once(Outgoing(subject, LARGE))
    blob = read_claim((await stored(bus, subject)).headers).blob
    await purge(bus, bus.subjects.chunk(blob, 1))
    async with consuming(bus, refusing, consumer=DISPATCHER_EVENTS):
        letter = await one_letter(bus)
    assert refusing.seen == []
    assert letter.letter.reason == "lost_blob"
    assert letter.letter.detail == (f"the payload of 1,280,000 bytes is lost: blob {blob}: chunk 1 of 3 is not there")
    with pytest.raises(Unsettled, match="EVT-1: the payload of 1,280,000 bytes is lost"):
        await replay_dead(bus, letter, "ada", NOW)
    with pytest.raises(LostBlob):
        await bus.redeem(await stored(bus, subject))


async def test_a_chunk_that_comes_late_is_waited_for(bus: Bus) -> None:
    message = Outgoing(bus.subjects.event("Big", "1"), LARGE)
    claim = claim_to(message, bus.max_payload)
    parts = [LARGE[start : start + CHUNK_BYTES] for start in range(0, len(LARGE), CHUNK_BYTES)]
    for number in (0, 2):
        await publish_once(bus._connection, Outgoing(bus.subjects.chunk(claim.blob, number), parts[number]))
    await publish_once(bus._connection, claiming(message, claim))
    seen: list[Message] = []

    async def handler(message: Message) -> Verdict:
        seen.append(message)
        return Ack()

    async with consuming(bus, handler, consumer=DISPATCHER_EVENTS):
        await wait_until(lambda: _was_delivered_again(bus))
        await publish_once(bus._connection, Outgoing(bus.subjects.chunk(claim.blob, 1), parts[1]))
        await wait_until(lambda: bool(seen))
    assert (seen[0].payload, seen[0].deliveries > 1) == (LARGE, True)


async def _was_delivered_again(bus: Bus) -> bool:
    name = f"{bus.subjects.namespace}-{DISPATCHER_EVENTS.name}"
    info = await bus._connection.api(f"CONSUMER.INFO.{bus.subjects.namespace.upper()}_EVT.{name}", {})
    return bool(info["delivered"]["consumer_seq"] >= 2)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [(b"x" * CHUNK_BYTES, "the digest is another"), (b"short", "chunk 1 has 5 bytes instead of 524,288")],
)
async def test_a_chunk_that_holds_something_else_has_its_message_set_aside_at_once(
    bus: Bus, wrong: bytes, told: str
) -> None:
    message, refusing = Outgoing(bus.subjects.event("Big", "1"), LARGE), Refusing()
    claim = claim_to(message, bus.max_payload)
    await publish_once(bus._connection, Outgoing(bus.subjects.chunk(claim.blob, 1), wrong))
    await bus.publish_once(message)
    async with consuming(bus, refusing, consumer=DISPATCHER_EVENTS):
        letter = await one_letter(bus)
    assert (refusing.seen, letter.letter.reason) == ([], "lost_blob")
    assert told in letter.letter.detail


async def test_a_claim_that_makes_no_sense_has_its_message_set_aside_with_its_bytes(bus: Bus) -> None:
    refusing = Refusing()
    await publish_once(bus._connection, Outgoing(bus.subjects.event("A", "1"), b"mine", {CLAIM_HEADER: "the moon"}))
    async with consuming(bus, refusing, consumer=DISPATCHER_EVENTS):
        letter = await one_letter(bus)
    assert (refusing.seen, letter.letter.reason) == ([], "bad_claim")
    assert (await with_original(bus, letter.letter)).payload == b"mine"


async def test_a_read_goes_on_past_a_value_that_is_lost_and_nothing_takes_its_placeholder_for_it(bus: Bus) -> None:
    body = Delivery("hooks", "1", "/hooks", {}, {}, LARGE, NOW)
    await bus.publish_once(delivery_message(bus.subjects, body))
    await bus.publish_once(delivery_message(bus.subjects, msgspec.structs.replace(body, id="2", body=b"small")))
    assert [each.body for each in await newest_deliveries(bus, 5)] == [b"small", LARGE]
    await purge(bus, bus.subjects.under("blob", ">"))
    assert [each.body for each in await newest_deliveries(bus, 5)] == [b"small"]


async def test_a_dead_letter_of_a_large_value_is_replayed_with_its_bytes(bus: Bus) -> None:
    refusing, subject = Refusing(), bus.subjects.event("Big", "1")
    await bus.publish_once(Outgoing(subject, LARGE, {"Loopy-Test": "a"}))
    async with consuming(bus, refusing, consumer=DISPATCHER_EVENTS):
        letter = await one_letter(bus)
        whole = await with_original(bus, letter.letter)
        assert (whole.payload, whole.headers["Loopy-Test"], CLAIM_HEADER in whole.headers) == (LARGE, "a", False)
        refusing.mended = True
        await replay_dead(bus, letter, "ada", NOW)
        await wait_until(lambda: len(refusing.seen) == 2)
    assert [(seen.subject, seen.payload, seen.sequence) for seen in refusing.seen] == [(subject, LARGE, 1)] * 2


async def test_a_blob_is_deleted_with_its_message_and_no_other(bus: Bus) -> None:
    first, second = bus.subjects.event("Big", "1"), bus.subjects.event("Big", "2")
    for subject in (first, second):
        await bus.publish_once(Outgoing(subject, LARGE))
    [message] = await bus.last_each(EVENTS, [first])
    assert blob_subjects(bus.subjects, message) == blob_subjects(bus.subjects, await stored(bus, first))
    await bus.delete_blob(message)
    assert len(await chunks(bus)) == 3
    kept = await bus.last(EVENTS, second)
    assert kept is not None
    assert kept.payload == LARGE
    of_another = msgspec.structs.replace(kept, subject=bus.subjects.under("replay.evt.Big.2.9"))
    assert blob_subjects(bus.subjects, of_another) is None
