"""What a consumer delivers, how often and in which order, to clients that take messages and do not answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from loopy.bus.client import Bus, BusError
from loopy.bus.incoming import place_of
from loopy.bus.messages import Outgoing
from loopy.bus.pull import Pull
from loopy.bus.streams import EVENTS, Consumer, consumer_config, consumer_name
from loopy.bus.wire import Arrived
from tests.contract.conftest import Connect
from tests.support.waiting import wait_until

HASTY = Consumer("hasty", "EVT", ("evt.A", "evt.C"), ack_wait_s=0.5)


class Taken:
    """What was delivered: (sequence, deliveries) in order, and for each sequence where to answer last."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.order: list[tuple[int, int]] = []
        self.replies: dict[int, str] = {}

    def receive(self, message: Arrived) -> None:
        place = place_of(message.reply)
        self.order.append((place.sequence, place.deliveries))
        self.replies[place.sequence] = message.reply

    def answer(self, sequence: int, answer: bytes) -> None:
        self.bus._connection.send(self.replies[sequence], answer)


async def create(bus: Bus, consumer: Consumer = HASTY, **changes: Any) -> None:
    stream = f"{bus.subjects.namespace.upper()}_{consumer.stream}"
    config = {**consumer_config(bus.subjects, consumer), **changes}
    await bus._connection.api(f"CONSUMER.CREATE.{stream}.{config['name']}", {"stream_name": stream, "config": config})


@asynccontextmanager
async def taking(bus: Bus, room: int = 100) -> AsyncIterator[Taken]:
    """Take what HASTY delivers until so much is held, and answer nothing unasked."""
    taken = Taken(bus)
    stream, name = f"{bus.subjects.namespace.upper()}_EVT", consumer_name(bus.subjects, HASTY)
    pull = Pull(bus._connection, stream, name, taken.receive)
    await pull.start(lambda: room - len(taken.order))
    try:
        yield taken
    finally:
        await pull.stop()


async def publish(bus: Bus, *names: str) -> None:
    for name in names:
        kind, _, identity = name.partition("/")
        await bus.publish_once(Outgoing(bus.subjects.event(kind, identity), b"{}"))


async def test_only_what_the_filters_select_is_delivered_in_order(bus: Bus) -> None:
    await publish(bus, "A/1", "B/1", "C/1", "A/2", "B/2")
    await create(bus)
    async with taking(bus) as taken:
        await publish(bus, "C/2", "B/3", "A/3")
        await wait_until(lambda: len(taken.order) >= 5)
        assert taken.order[:5] == [(1, 1), (3, 1), (4, 1), (6, 1), (8, 1)]


async def test_what_is_not_answered_in_time_comes_again_and_is_counted(bus: Bus) -> None:
    await create(bus)
    await publish(bus, "A/1", "A/2")
    async with taking(bus) as taken:
        await wait_until(lambda: len(taken.order) == 2)
        taken.answer(2, b"+ACK")
        await wait_until(lambda: len(taken.order) == 4)
    assert taken.order == [(1, 1), (2, 1), (1, 2), (1, 3)]


async def test_what_somebody_took_who_is_gone_comes_to_another(bus: Bus, connect: Connect) -> None:
    await create(bus)
    await publish(bus, "A/1")
    first = await connect("first")
    async with taking(first) as taken:
        await wait_until(lambda: taken.order == [(1, 1)])
    await first.close()
    async with taking(bus) as other:
        await wait_until(lambda: other.order == [(1, 2)])


async def test_an_answer_that_it_is_in_progress_puts_the_redelivery_off(bus: Bus) -> None:
    await create(bus)
    await publish(bus, "A/1")
    async with taking(bus) as taken:
        await wait_until(lambda: len(taken.order) == 1)
        deadline = asyncio.get_running_loop().time() + 2 * HASTY.ack_wait_s

        async def kept_up() -> bool:
            taken.answer(1, b"+WPI")
            return asyncio.get_running_loop().time() > deadline

        await wait_until(kept_up)
        assert taken.order == [(1, 1)]
        await wait_until(lambda: taken.order == [(1, 1), (1, 2)])


@pytest.mark.parametrize("answer", [b"+ACK", b"", b"+TERM no use"])
async def test_what_is_settled_never_comes_again(bus: Bus, answer: bytes) -> None:
    await create(bus)
    await publish(bus, "A/1", "A/2")
    async with taking(bus) as taken:
        await wait_until(lambda: len(taken.order) == 2)
        taken.answer(1, answer)
        await wait_until(lambda: len(taken.order) >= 5)
    assert [sequence for sequence, _ in taken.order[2:]] == [2] * len(taken.order[2:])


async def test_what_is_given_back_comes_again_at_once_and_before_what_is_new(bus: Bus) -> None:
    await create(bus)
    await publish(bus, "A/1", "A/2", "A/3")
    async with taking(bus, room=1) as taken:
        await wait_until(lambda: taken.order == [(1, 1)])
    taken.answer(1, b"-NAK")
    await bus._connection.flush()
    async with taking(bus, room=2) as again:
        await wait_until(lambda: len(again.order) == 2)
    assert again.order == [(1, 2), (2, 1)]


async def test_no_more_are_out_than_the_consumer_allows(bus: Bus) -> None:
    await create(bus, Consumer(HASTY.name, HASTY.stream, HASTY.prefixes, ack_wait_s=30), max_ack_pending=2)
    await publish(bus, "A/1", "A/2", "A/3", "A/4")
    async with taking(bus) as taken:
        await wait_until(lambda: len(taken.order) == 2)
        stream, name = f"{bus.subjects.namespace.upper()}_EVT", consumer_name(bus.subjects, HASTY)
        info = await bus._connection.api(f"CONSUMER.INFO.{stream}.{name}", {})
        assert (info["num_pending"], info["num_ack_pending"]) == (2, 2)
        taken.answer(1, b"+ACK")
        await wait_until(lambda: taken.order == [(1, 1), (2, 1), (3, 1)])


async def test_filters_that_overlap_cannot_be_read(bus: Bus) -> None:
    with pytest.raises(BusError, match="overlap"):
        async for _ in bus.read(EVENTS, [bus.subjects.under("evt", ">"), bus.subjects.under("evt", "A", "*")]):
            pass


async def test_a_publisher_that_expects_a_later_sequence_is_refused(bus: Bus) -> None:
    scope = bus.subjects.under("evt", "A", ">")
    late = Outgoing(bus.subjects.event("A", "1"), b"")
    assert await bus.publish_after(late, scope=scope, sequence=7) is None
    assert await bus.last(EVENTS, scope) is None
