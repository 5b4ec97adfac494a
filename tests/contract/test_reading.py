"""Reading: the last of subjects, streams in order, taps."""

import asyncio

from loopy.bus.client import Bus
from loopy.bus.messages import Message, Outgoing
from loopy.bus.streams import EVENTS, RUNS
from loopy.bus.wire import Arrived
from tests.contract.conftest import Connect
from tests.support.waiting import wait_until


async def fill(bus: Bus, subjects: list[str]) -> None:
    """One message on each subject, in this order."""
    for subject in subjects:
        await bus.publish_once(Outgoing(subject, subject.encode()))


async def test_the_last_of_a_wildcard_is_the_newest(bus: Bus) -> None:
    await fill(bus, [bus.subjects.event("A", str(n)) for n in range(3)])
    last = await bus.last(EVENTS, bus.subjects.under("evt", "A", "*"))
    assert last is not None
    assert last.sequence == 3
    assert await bus.last(EVENTS, bus.subjects.under("evt", "B", "*")) is None


async def test_the_last_of_each_subject_come_by_sequence_and_each_once(bus: Bus) -> None:
    subjects = bus.subjects
    await fill(bus, [subjects.end("r"), subjects.result("r", "a", 0, 1), subjects.start("other"), subjects.start("r")])
    found = await bus.last_each(RUNS, [subjects.start("r"), subjects.journal("r")])
    assert [(m.sequence, m.subject) for m in found] == [
        (1, subjects.end("r")),
        (2, subjects.result("r", "a", 0, 1)),
        (4, subjects.start("r")),
    ]
    assert await bus.last_each(RUNS, [subjects.journal("none")]) == []


async def test_more_subjects_than_one_answer_holds_are_read_all_the_same(bus: Bus) -> None:
    wanted = [bus.subjects.result("r", f"s{n}", 0, 1) for n in range(1_100)]
    await asyncio.gather(*(bus.publish_once(Outgoing(subject, b"")) for subject in wanted))
    found = await bus.last_each(RUNS, [bus.subjects.journal("r"), bus.subjects.result("r", "s1", 0, 1)])
    assert {message.subject for message in found} == set(wanted)
    assert [m.sequence for m in found] == list(range(1, 1_101))


async def test_a_strangers_headers_cannot_pass_for_the_servers(bus: Bus, connect: Connect) -> None:
    stranger = await connect("stranger")
    subject = bus.subjects.event("A", "1")
    forged = {"Status": "404", "Nats-Sequence": "99", "Nats-Subject": "elsewhere"}
    await stranger._connection.request(subject, b"x", forged)
    for message in (await bus.last(EVENTS, subject), *(await bus.last_each(EVENTS, [subject]))):
        assert message is not None
        assert (message.subject, message.sequence, message.payload) == (subject, 1, b"x")


async def test_a_read_ends_at_the_streams_end(bus: Bus) -> None:
    await fill(bus, [bus.subjects.event("A", str(n)) for n in range(600)])
    read = [message.sequence async for message in bus.read(EVENTS, [bus.subjects.under("evt", "A", ">")])]
    assert read == list(range(1, 601))
    assert [m.sequence async for m in bus.read(EVENTS, [bus.subjects.event("A", "0")], after=1)] == []
    assert [m.sequence async for m in bus.read(EVENTS, [bus.subjects.under("evt", ">")], after=598)] == [599, 600]
    assert await bus.position(EVENTS) == 600
    assert await bus.position(RUNS) == 0


async def test_a_read_ends_although_what_was_to_come_is_deleted(bus: Bus) -> None:
    await fill(bus, [bus.subjects.event("A", str(n)) for n in range(1_000)])
    read = 0
    async for _ in bus.read(EVENTS, [bus.subjects.under("evt", ">")]):
        read += 1
        if read == 1:
            await bus._connection.api(f"STREAM.PURGE.{bus.subjects.namespace.upper()}_EVT", {})
    assert read < 1_000


async def test_a_reader_that_follows_gets_what_comes_later(bus: Bus) -> None:
    received: list[int] = []

    async def follow() -> None:
        async for message in bus.read(EVENTS, [bus.subjects.under("evt", ">")], follow=True):
            received.append(message.sequence)  # noqa: PERF401  an extend shows nothing before the end

    following = asyncio.create_task(follow())
    await fill(bus, [bus.subjects.event("A", "1")])
    await wait_until(lambda: received == [1])
    await fill(bus, [bus.subjects.event("A", "2"), bus.subjects.event("B", "1")])
    await wait_until(lambda: received == [1, 2, 3])
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_tap_carries_one_copy_of_each_stored_event(bus: Bus, connect: Connect) -> None:
    watcher = (await connect("watcher"))._connection
    tapped: list[str] = []

    def note(message: Arrived) -> None:
        tapped.append(message.subject)

    await watcher.subscribe(bus.subjects.tap(), note)
    await watcher.flush()
    for _ in range(3):
        await fill(bus, [bus.subjects.event("A.B", "1"), bus.subjects.event("C", "1")])
    await fill(bus, [bus.subjects.event("C", "last")])
    await wait_until(lambda: len(tapped) >= 3)
    assert tapped == [bus.subjects.under("tap", "evt", rest) for rest in ("A.B.1", "C.1", "C.last")]


async def test_a_watcher_sees_what_passes(bus: Bus) -> None:
    seen: list[Message] = []

    async def watch() -> None:
        async for message in bus.watch(bus.subjects.tap("C")):
            seen.append(message)  # noqa: PERF401  an extend shows nothing before the end

    watching = asyncio.create_task(watch())
    numbers = iter(range(1_000))

    async def passes() -> bool:
        await fill(bus, [bus.subjects.event("C", str(next(numbers)))])
        return bool(seen)

    await wait_until(passes)
    assert (seen[0].stream, seen[0].sequence) == ("", 0)
    assert seen[0].subject.startswith(bus.subjects.under("tap", "evt", "C"))
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_leader_knows_whether_a_subject_has_a_message(bus: Bus) -> None:
    place = bus.subjects.result("r", "a", 0, 1)
    assert await bus.last_by_leader(RUNS, place) is None
    await bus.publish_once(Outgoing(place, b"{}"))
    assert await bus.last_by_leader(RUNS, place) == b"{}"
    assert await bus.last_by_leader(RUNS, bus.subjects.result("r", "a", 0, 2)) is None
