"""A poison message stops no service from processing the others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from loopy.bus.client import Bus, BusError
from loopy.bus.cloudevents import event_message
from loopy.bus.codec import record_message
from loopy.bus.collapse import IN_A_ROW
from loopy.bus.deadletters import list_dead
from loopy.bus.messages import Outgoing
from loopy.bus.streams import CONSUMERS, RUNS, executor_consumer
from loopy.bus.subjects import Subjects
from loopy.runs.ids import sensor_source
from loopy.runs.records import AttemptSucceeded
from loopy_services.dispatcher.service import serve
from tests.support.engine import finished_cascade, serving
from tests.support.facts import NOW, event, plan, step, workflow
from tests.support.services import ALL, services, settings_for
from tests.support.shop import write_shop
from tests.support.waiting import wait_until

STRANGERS = 2 * IN_A_ROW
PROJECT = plan(workflow(step("a")), Incident={"title": "str"})
PAYLOADS = (b"", b"\xff\x00", b"[]", b"{" * 3000, b'{"record":"RunEnded"}')


async def test_poison_on_every_subject_that_is_consumed_stops_nothing(
    bus: Bus, nats_url: str, namespace: str, tmp_path: Path
) -> None:
    prefixes = [prefix for consumer in (*CONSUMERS, executor_consumer("default")) for prefix in consumer.prefixes]
    poison = [
        bus.subjects.under(prefix, f"x.y.{number}.{number}") for prefix in prefixes for number in range(len(PAYLOADS))
    ]
    async with services(ALL, write_shop(tmp_path / "shop"), settings_for(nats_url, namespace)) as running:
        for number, subject in enumerate(poison):
            await bus.publish_once(Outgoing(subject, PAYLOADS[number % len(PAYLOADS)]))
        await bus.publish_once(event_message(bus.subjects, event("good", "Order", data={"item": "tea", "amount": 1})))
        cascade = await finished_cascade(bus, "good")

        async def all_set_aside() -> bool:
            return len(await list_dead(bus)) == len(poison)

        await wait_until(all_set_aside, 20)
        assert not running.ended.done()
    assert not cascade.failed
    assert [run.workflow for run in cascade.runs] == ["sell", "bill"]
    letters = [found.letter for found in await list_dead(bus)]
    assert all(letter.reason and letter.detail for letter in letters)


def of_no_run(subjects: Subjects, number: int) -> Outgoing:
    """A result that would be one, were there such a run."""
    success = AttemptSucceeded(f"{number:024x}", "w", "a", 1, "stranger", NOW, NOW, {})
    return record_message(subjects, success)


def of_wrong_type(subjects: Subjects, number: int, source: str = "") -> Outgoing:
    """An event whose data is not what its type says."""
    headers = {"ce-source": source} if source else {}
    return Outgoing(subjects.event("Incident", f"wrong{number}"), b'{"title": 1}', headers)


@pytest.mark.parametrize("strange", [of_no_run, of_wrong_type])
async def test_no_number_of_strangers_messages_stops_a_service(
    bus: Bus, strange: Callable[[Subjects, int], Outgoing]
) -> None:
    async with serving(serve, bus, PROJECT):
        for number in range(STRANGERS):
            await bus.publish_once(strange(bus.subjects, number))

        async def all_set_aside() -> bool:
            return len(await list_dead(bus)) == STRANGERS

        await wait_until(all_set_aside, 20)
        await bus.publish_once(event_message(bus.subjects, event("good")))
        await wait_until(lambda: is_routed(bus, "good"))


async def is_routed(bus: Bus, identity: str) -> bool:
    return await bus.last(RUNS, bus.subjects.routed(identity, identity)) is not None


async def test_a_service_whose_plan_takes_no_event_of_its_sensors_stops_and_says_so(bus: Bus) -> None:
    for number in range(STRANGERS):
        await bus.publish_once(of_wrong_type(bus.subjects, number, sensor_source("errors")))
    with pytest.RaisesGroup(BusError, allow_unwrapped=True, flatten_subgroups=True):
        async with serving(serve, bus, PROJECT):
            await wait_until(lambda: is_routed(bus, "never"))
