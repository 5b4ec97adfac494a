"""A poison message stops no service from processing the others."""

from pathlib import Path

from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.deadletters import list_dead
from loopy.bus.messages import Outgoing
from loopy.bus.streams import CONSUMERS, executor_consumer
from tests.support.engine import finished_cascade
from tests.support.facts import event
from tests.support.services import ALL, services, settings_for
from tests.support.shop import write_shop
from tests.support.waiting import wait_until

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
