"""Dead letters: put back, they come once more as they were; what became of each is recorded."""

import asyncio
from datetime import UTC, datetime

import pytest

from loopy.bus import consumer, writing
from loopy.bus.client import Bus
from loopy.bus.collapse import IN_A_ROW
from loopy.bus.deadletters import SetAside, Unsettled, drop_dead, find_dead, list_dead, replay_dead, with_original
from loopy.bus.errors import EverythingFails
from loopy.bus.messages import Ack, DeadLetter, Message, Outgoing, Verdict
from loopy.bus.streams import CONSUMERS, DEAD, DISPATCHER_EVENTS, EVENTS, Consumer, executor_consumer, stream_config
from loopy.bus.undecodable import Undecodable
from tests.contract.test_consuming import consuming, settled
from tests.support.waiting import wait_until

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BYTES = b"\xff\x00 not \r\n text"
PLACES = [
    (consumer, prefix)
    for consumer in (*CONSUMERS, executor_consumer("default"))
    for prefix in consumer.prefixes
    if not prefix.startswith("replay.")
]


class Refusing:
    """A handler that sets aside whatever it is given until it is told better; `seen` is all that it was given."""

    def __init__(self) -> None:
        self.seen: list[Message] = []
        self.mended = False

    async def __call__(self, message: Message) -> Verdict:
        self.seen.append(message)
        return Ack() if self.mended else DeadLetter("wrong_type", "title: expected str")


async def one_letter(bus: Bus) -> SetAside:
    """The newest dead letter, once there is one that is open."""
    found: list[SetAside] = []

    async def is_there() -> bool:
        found[:] = [each for each in await list_dead(bus) if each.settled is None]
        return bool(found)

    await wait_until(is_there)
    whole = await find_dead(bus, found[-1].letter.stream, found[-1].letter.sequence)
    assert whole is not None
    return whole


@pytest.mark.parametrize(("consumer", "prefix"), PLACES, ids=[f"{c.name}:{p}" for c, p in PLACES])
async def test_every_consumer_is_given_its_dead_letters_once_more_as_they_were(
    bus: Bus, consumer: Consumer, prefix: str
) -> None:
    refusing = Refusing()
    subject = bus.subjects.under(prefix, "x.y.1")
    stored = await bus.publish_once(Outgoing(subject, BYTES, {"Loopy-Test": "a", "traceparent": "b"}))
    async with consuming(bus, refusing, consumer=consumer):
        letter = await one_letter(bus)
        assert letter.id == f"{consumer.stream}-{stored.sequence}"
        refusing.mended = True
        for _ in range(3):
            await replay_dead(bus, letter, "ada", NOW)
        await wait_until(lambda: len(refusing.seen) == 2)
        await settled(bus, consumer)
    first, again = refusing.seen
    for name in ("subject", "payload", "sequence", "stream"):
        assert getattr(again, name) == getattr(first, name)
    assert abs(again.time - first.time).total_seconds() < 0.001
    assert (again.headers["Loopy-Test"], again.headers["traceparent"]) == ("a", "b")


async def test_a_letter_that_is_replayed_and_set_aside_again_is_a_new_one(bus: Bus) -> None:
    refusing = Refusing()
    subject = bus.subjects.event("A", "1")
    await bus.publish_once(Outgoing(subject, BYTES))
    async with consuming(bus, refusing, consumer=DISPATCHER_EVENTS):
        first = await one_letter(bus)
        await replay_dead(bus, first, "ada", NOW)
        second = await one_letter(bus)
        assert (second.id, second.letter.subject, second.letter.payload) == ("EVT-2", subject, BYTES)
        assert (second.letter.stored_as, second.letter.stored_at) == (1, first.letter.stored_at)
        refusing.mended = True
        await replay_dead(bus, second, "ada", NOW)
        await wait_until(lambda: len(refusing.seen) == 3)
    assert [message.sequence for message in refusing.seen] == [1, 1, 1]
    assert {each.id: each.settled and each.settled.fate for each in await list_dead(bus)} == {
        "EVT-1": "replayed",
        "EVT-2": "replayed",
    }


async def test_a_letter_has_one_fate_and_the_first_stands(bus: Bus) -> None:
    await bus.publish_once(Outgoing(bus.subjects.event("A", "1"), b"{}"))
    async with consuming(bus, Refusing(), consumer=DISPATCHER_EVENTS):
        letter = await one_letter(bus)
    dropped = await drop_dead(bus, letter, "ada", NOW)
    assert await drop_dead(bus, letter, "bob", NOW) == dropped
    found = await find_dead(bus, "EVT", 1)
    assert found is not None
    assert (found.settled, found.letter.payload) == (dropped, b"{}")
    with pytest.raises(Unsettled, match="EVT-1 was dropped by ada"):
        await replay_dead(bus, found, "bob", NOW)
    assert await bus.position(EVENTS) == 1


async def test_a_letter_too_large_to_be_copied_is_replayed_from_its_original(bus: Bus) -> None:
    refusing = Refusing()
    payload = b"x" * (bus.max_payload - 700)
    await writing.publish_once(bus._connection, Outgoing(bus.subjects.event("A", "1"), payload))
    async with consuming(bus, refusing, consumer=DISPATCHER_EVENTS):
        letter = await one_letter(bus)
        assert letter.letter.truncated
        assert (await with_original(bus, letter.letter)).payload == payload
        refusing.mended = True
        await replay_dead(bus, letter, "ada", NOW)
        await wait_until(lambda: len(refusing.seen) == 2)
    assert refusing.seen[1].payload == payload


async def test_what_a_stranger_puts_among_the_replays_is_set_aside_and_cannot_be_replayed(bus: Bus) -> None:
    refusing = Refusing()
    await bus.publish_once(Outgoing(bus.subjects.under("replay.evt.A.1.2"), b"{}", {"Loopy-Replay-Sequence": "x"}))
    async with consuming(bus, refusing, consumer=DISPATCHER_EVENTS):
        letter = await one_letter(bus)
        assert (letter.letter.reason, refusing.seen) == ("bad_replay", [])
        with pytest.raises(Unsettled, match="nothing consumes"):
            await replay_dead(bus, letter, "ada", NOW)
        assert (await drop_dead(bus, letter, "ada", NOW)).fate == "dropped"


async def test_letters_are_selected_by_reason_and_stream(bus: Bus) -> None:
    async def handler(message: Message) -> Verdict:
        return DeadLetter(message.headers["why"], "…")

    for place, why in {"evt.A.1": "one", "evt.A.2": "two", "run.cancel.r._._": "one"}.items():
        await bus.publish_once(Outgoing(bus.subjects.under(place), b"{}", {"why": why}))
    async with consuming(bus, handler, consumer=CONSUMERS[0]), consuming(bus, handler, consumer=CONSUMERS[1]):
        await settled(bus, CONSUMERS[0])
        await settled(bus, CONSUMERS[1])
    assert {each.id for each in await list_dead(bus)} == {"EVT-1", "EVT-2", "RUN-1"}
    assert {each.id for each in await list_dead(bus, reason="one")} == {"EVT-1", "RUN-1"}
    assert {each.id for each in await list_dead(bus, stream="EVT", reason="one")} == {"EVT-1"}
    assert await list_dead(bus, stream="TIMER") == []


async def test_poison_among_good_messages_stops_nothing(bus: Bus) -> None:
    good: list[str] = []

    async def handler(message: Message) -> Verdict:
        if message.payload == b"poison":
            return DeadLetter("wrong_type", "poison")
        good.append(message.subject)
        return Ack()

    for number in range(6 * IN_A_ROW):
        payload = b"good" if number % 3 == 0 else b"poison"
        await bus.publish_once(Outgoing(bus.subjects.event("A", str(number)), payload))
    async with consuming(bus, handler, consumer=DISPATCHER_EVENTS):
        await settled(bus, DISPATCHER_EVENTS)
    assert (len(good), len(await list_dead(bus))) == (2 * IN_A_ROW, 4 * IN_A_ROW)


async def test_poison_that_cannot_be_set_aside_for_want_of_room_stops_nothing(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "UNSETTLED_RETRY_S", 0.2)
    config = stream_config(bus.subjects, DEAD)
    await bus._connection.api(f"STREAM.UPDATE.{config['name']}", {**config, "max_bytes": 1})
    good: list[str] = []

    async def handler(message: Message) -> Verdict:
        if message.payload == b"poison":
            return DeadLetter("wrong_type", "poison")
        good.append(message.subject)
        return Ack()

    for number in range(4):
        await bus.publish_once(Outgoing(bus.subjects.event("A", str(number)), b"good" if number == 3 else b"poison"))
    async with consuming(bus, handler, consumer=DISPATCHER_EVENTS, in_flight=2):
        await wait_until(lambda: asyncio.sleep(0, bool(good)))
        assert await list_dead(bus) == []
        await bus._connection.api(f"STREAM.UPDATE.{config['name']}", config)
        await settled(bus, DISPATCHER_EVENTS)
    assert len(await list_dead(bus)) == 3


async def test_what_nobody_can_read_stops_nothing_however_much_there_is(bus: Bus) -> None:
    async def handler(message: Message) -> Verdict:
        raise Undecodable("bad_payload", "no JSON")

    for number in range(2 * IN_A_ROW):
        await bus.publish_once(Outgoing(bus.subjects.event("A", str(number)), b"\xff"))
    async with consuming(bus, handler, consumer=DISPATCHER_EVENTS):
        await settled(bus, DISPATCHER_EVENTS)
    assert len(await list_dead(bus)) == 2 * IN_A_ROW


async def test_when_everything_fails_the_consumer_stops_and_leaves_the_rest(bus: Bus) -> None:
    async def handler(message: Message) -> Verdict:
        return DeadLetter("broken", "the disk is full")

    for number in range(10 * IN_A_ROW):
        await bus.publish_once(Outgoing(bus.subjects.event("A", str(number)), b"{}"))
    with pytest.raises(EverythingFails, match=f"{IN_A_ROW} × broken"):
        await asyncio.wait_for(
            bus.consume(DISPATCHER_EVENTS, handler, in_flight=1, stopping=asyncio.Event(), grace_s=1), 20
        )
    assert len(await list_dead(bus)) == IN_A_ROW
