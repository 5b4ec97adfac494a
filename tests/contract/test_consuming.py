"""Consuming: verdicts, redelivery, dead letters, slow handlers, sharing, stopping."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from loopy.bus import consumer as consuming_module
from loopy.bus import writing
from loopy.bus.client import Bus
from loopy.bus.consumer import MOST_FAILURES
from loopy.bus.dead import read_dead
from loopy.bus.messages import Ack, DeadLetter, Handler, Message, Outgoing, RetryAfter, Verdict
from loopy.bus.provisioning import ensure_consumer
from loopy.bus.streams import DEAD, Consumer, consumer_name
from loopy.bus.undecodable import Undecodable
from tests.contract.conftest import Connect
from tests.support.waiting import wait_until

HASTY = Consumer("hasty", "EVT", ("evt",), ack_wait_s=0.6)


@asynccontextmanager
async def consuming(
    bus: Bus, handler: Handler, *, consumer: Consumer = HASTY, in_flight: int = 16, grace_s: float = 10
) -> AsyncIterator[asyncio.Event]:
    """A consumption that runs meanwhile and is stopped gracefully at the end."""
    await ensure_consumer(bus._connection, bus.subjects, consumer)
    stopping = asyncio.Event()
    running = asyncio.create_task(
        bus.consume(consumer, handler, in_flight=in_flight, stopping=stopping, grace_s=grace_s)
    )
    try:
        yield stopping
    finally:
        stopping.set()
        await asyncio.wait_for(running, 20)


async def publish(bus: Bus, *ids: str, payload: bytes = b"{}") -> None:
    for event_id in ids:
        await bus.publish_once(Outgoing(bus.subjects.event("A", event_id), payload, {"Loopy-Test": event_id}))


def unsettled(bus: Bus, consumer: Consumer = HASTY) -> Callable[[], Awaitable[int]]:
    """How many messages the server still holds for a consumer, delivered or not."""

    async def count() -> int:
        stream = f"{bus.subjects.namespace.upper()}_{consumer.stream}"
        info = await bus._connection.api(f"CONSUMER.INFO.{stream}.{consumer_name(bus.subjects, consumer)}", {})
        return int(info["num_pending"]) + int(info["num_ack_pending"])

    return count


async def settled(bus: Bus, consumer: Consumer = HASTY) -> None:
    count = unsettled(bus, consumer)

    async def none() -> bool:
        return await count() == 0

    await wait_until(none)


async def test_messages_come_in_order_and_an_ack_settles_them(bus: Bus) -> None:
    got: list[Message] = []

    async def handler(message: Message) -> Verdict:
        got.append(message)
        return Ack()

    await publish(bus, *map(str, range(50)))
    async with consuming(bus, handler):
        await settled(bus)
    assert [message.sequence for message in got] == list(range(1, 51))
    assert {message.deliveries for message in got} == {1}
    assert got[7].headers["Loopy-Test"] == "7"


async def test_a_message_to_be_retried_comes_again_after_the_delay(bus: Bus) -> None:
    times: list[float] = []

    async def handler(message: Message) -> Verdict:
        times.append(asyncio.get_running_loop().time())
        return RetryAfter(0.2) if message.deliveries == 1 else Ack()

    await publish(bus, "1")
    async with consuming(bus, handler):
        await settled(bus)
    assert len(times) == 2
    assert times[1] - times[0] >= 0.2


async def test_a_dead_letter_keeps_the_bytes_the_headers_and_the_reason(bus: Bus) -> None:
    async def handler(message: Message) -> Verdict:
        return DeadLetter("wrong_type", "title: expected str, got int")

    await publish(bus, "1", payload=b"\xff not json")
    async with consuming(bus, handler):
        await settled(bus)
    stored = await bus.last(DEAD, bus.subjects.dead("EVT", 1))
    assert stored is not None
    dead = read_dead(stored)
    assert (dead.stream, dead.subject, dead.sequence) == ("EVT", bus.subjects.event("A", "1"), 1)
    assert (dead.reason, dead.detail) == ("wrong_type", "title: expected str, got int")
    assert (dead.payload, stored.payload, dead.headers["Loopy-Test"]) == (b"\xff not json", b"\xff not json", "1")
    assert not dead.truncated


async def test_a_dead_letter_too_large_to_copy_says_so(bus: Bus) -> None:
    async def handler(message: Message) -> Verdict:
        return DeadLetter("wrong_type", "too much")

    payload = b"x" * (bus.max_payload - 200)  # a stranger's: of ours, what is large lies beside its message
    await writing.publish_once(bus._connection, Outgoing(bus.subjects.event("A", "1"), payload))
    async with consuming(bus, handler):
        await settled(bus)
    stored = await bus.last(DEAD, bus.subjects.dead("EVT", 1))
    assert stored is not None
    dead = read_dead(stored)
    assert (dead.truncated, dead.payload, dead.reason) == (True, b"", "wrong_type")


async def test_what_a_handler_finds_undecodable_is_a_dead_letter_at_once(bus: Bus) -> None:
    async def handler(message: Message) -> Verdict:
        raise Undecodable("bad_payload", "no JSON")

    await publish(bus, "1")
    async with consuming(bus, handler):
        await settled(bus)
    stored = await bus.last(DEAD, bus.subjects.dead("EVT", 1))
    assert stored is not None
    assert (read_dead(stored).reason, read_dead(stored).detail) == ("bad_payload", "no JSON")


async def test_a_handler_that_raises_is_logged_and_tried_again(bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    deliveries: list[int] = []

    async def handler(message: Message) -> Verdict:
        deliveries.append(message.deliveries)
        if message.deliveries == 1:
            raise RuntimeError("broken")
        return Ack()

    await publish(bus, "1", "2")
    with caplog.at_level(logging.ERROR, "loopy.bus"):
        async with consuming(bus, handler):
            await settled(bus)
    assert sorted(deliveries) == [1, 1, 2, 2]
    assert [record.getMessage() for record in caplog.records] == ["handler.failed"] * 2


async def test_a_handler_whose_own_work_is_cancelled_has_failed_and_is_tried_again(bus: Bus) -> None:
    deliveries: list[int] = []

    async def handler(message: Message) -> Verdict:
        deliveries.append(message.deliveries)
        if message.deliveries == 1:
            raise asyncio.CancelledError
        return Ack()

    await publish(bus, "1")
    async with consuming(bus, handler):
        await settled(bus)
    assert deliveries == [1, 2]


async def test_a_reason_that_is_no_text_still_makes_a_dead_letter(bus: Bus) -> None:
    async def handler(message: Message) -> Verdict:
        return DeadLetter("odd", "half a pair: \ud800")

    await publish(bus, "1")
    async with consuming(bus, handler):
        await settled(bus)
    stored = await bus.last(DEAD, bus.subjects.dead("EVT", 1))
    assert stored is not None
    assert read_dead(stored).detail == "half a pair: ?"


async def test_a_handler_that_raises_ten_times_ends_in_a_dead_letter(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consuming_module, "FIRST_RETRY_S", 0.0001)
    raised = 0

    async def handler(message: Message) -> Verdict:
        nonlocal raised
        raised += 1
        raise RuntimeError("broken for good")

    await publish(bus, "1")
    async with consuming(bus, handler):
        await settled(bus)
    stored = await bus.last(DEAD, bus.subjects.dead("EVT", 1))
    assert stored is not None
    assert (read_dead(stored).reason, read_dead(stored).detail) == ("handler_failed", "RuntimeError: broken for good")
    assert raised == MOST_FAILURES


async def test_what_was_held_back_elsewhere_counts_as_no_failure_here(bus: Bus, connect: Connect) -> None:
    given, raised = 0, 0

    async def holds_back(message: Message) -> Verdict:
        nonlocal given
        given += 1
        return RetryAfter(0, waits=True)

    async def fails_once(message: Message) -> Verdict:
        nonlocal raised
        raised += 1
        if raised == 1:
            raise RuntimeError("broken for a moment")
        return Ack()

    async def often() -> bool:
        return given > MOST_FAILURES

    await publish(bus, "1")
    async with consuming(await connect("elsewhere"), holds_back):
        await wait_until(often)
    async with consuming(bus, fails_once):
        await settled(bus)
    assert raised == 2
    assert await bus.last(DEAD, bus.subjects.dead("EVT", 1)) is None


async def test_a_message_that_is_held_back_is_not_set_aside_however_often_it_came(bus: Bus) -> None:
    tries: list[int] = []
    came = 0

    async def handler(message: Message) -> Verdict:
        nonlocal came
        came += 1
        tries.append(message.deliveries)
        if came <= MOST_FAILURES + 2:
            return RetryAfter(0, waits=True)
        if came == MOST_FAILURES + 3:
            raise RuntimeError("broken for a moment")
        return Ack()

    await publish(bus, "1")
    async with consuming(bus, handler):
        await settled(bus)
    assert tries == [1] * (MOST_FAILURES + 3) + [2]
    assert await bus.last(DEAD, bus.subjects.dead("EVT", 1)) is None


async def test_a_handler_slower_than_the_ack_wait_is_not_given_its_message_again(bus: Bus) -> None:
    deliveries: list[int] = []

    async def handler(message: Message) -> Verdict:
        deliveries.append(message.deliveries)
        await asyncio.sleep(HASTY.ack_wait_s * 2.5)
        return Ack()

    await publish(bus, "1", "2")
    async with consuming(bus, handler):
        await settled(bus)
    assert deliveries == [1, 1]


async def test_no_more_than_in_flight_are_handled_at_once_and_the_rest_is_left_to_others(bus: Bus) -> None:
    busy, most, done = 0, 0, asyncio.Event()

    async def handler(message: Message) -> Verdict:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await done.wait()
        busy -= 1
        return Ack()

    others: list[int] = []

    async def other(message: Message) -> Verdict:
        others.append(message.sequence)
        return Ack()

    await publish(bus, *map(str, range(10)))
    async with consuming(bus, handler, in_flight=3):
        await wait_until(lambda: busy == 3)
        async with consuming(bus, other):
            await wait_until(lambda: len(others) == 7)
        done.set()
        await settled(bus)
    assert most == 3


async def test_two_consumers_share_the_work_with_nothing_doubled(bus: Bus, connect: Connect) -> None:
    second = await connect("second")
    got: dict[str, list[int]] = {"first": [], "second": []}

    def handler(name: str) -> Handler:
        async def note(message: Message) -> Verdict:
            await asyncio.sleep(0.001)
            got[name].append(message.sequence)
            return Ack()

        return note

    async with consuming(bus, handler("first")), consuming(second, handler("second")):
        await publish(bus, *map(str, range(300)))
        await settled(bus)
    assert sorted(got["first"] + got["second"]) == list(range(1, 301))
    assert all(got.values())


async def test_stopping_lets_handlers_finish_and_takes_nothing_more(bus: Bus) -> None:
    started: list[int] = []
    finished: list[int] = []
    release = asyncio.Event()

    async def handler(message: Message) -> Verdict:
        started.append(message.sequence)
        await release.wait()
        finished.append(message.sequence)
        return Ack()

    await publish(bus, *map(str, range(5)))
    async with consuming(bus, handler, in_flight=2) as stopping:
        await wait_until(lambda: len(started) == 2)
        stopping.set()
        release.set()
    assert (started, finished) == ([1, 2], [1, 2])
    assert await unsettled(bus)() == 3


async def test_what_is_not_finished_within_the_grace_is_given_back_at_once(bus: Bus) -> None:
    started: list[int] = []

    async def stuck(message: Message) -> Verdict:
        started.append(message.sequence)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    patient = Consumer("patient", "EVT", ("evt",), ack_wait_s=60)
    await publish(bus, "1", "2")
    async with consuming(bus, stuck, consumer=patient, grace_s=0.05):
        await wait_until(lambda: len(started) == 2)

    again: list[int] = []

    async def handler(message: Message) -> Verdict:
        again.append(message.sequence)
        return Ack()

    async with consuming(bus, handler, consumer=patient):
        await wait_until(lambda: sorted(again) == [1, 2], timeout=5)


async def test_a_cancelled_consumption_gives_back_what_it_held(bus: Bus) -> None:
    started = asyncio.Event()

    async def stuck(message: Message) -> Verdict:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    patient = Consumer("patient", "EVT", ("evt",), ack_wait_s=60)
    await ensure_consumer(bus._connection, bus.subjects, patient)
    await publish(bus, "1")
    consuming_task = asyncio.create_task(bus.consume(patient, stuck, in_flight=1, stopping=asyncio.Event()))
    await started.wait()
    consuming_task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consuming_task

    again = asyncio.Event()

    async def handler(message: Message) -> Verdict:
        again.set()
        return Ack()

    async with consuming(bus, handler, consumer=patient):
        await asyncio.wait_for(again.wait(), 5)
