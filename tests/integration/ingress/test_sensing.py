"""What sensors make of deliveries and polls: events with stable ids, or a failure that is kept."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from loopy.bus import messages
from loopy.bus.client import Bus
from loopy.bus.cloudevents import read_event
from loopy.bus.codec import (
    Delivery,
    FailedDelivery,
    Firing,
    delivery_message,
    poll_firing_message,
    read_failed_delivery,
    read_firing,
)
from loopy.bus.messages import Outgoing
from loopy.bus.streams import DEAD, DELIVERIES, EVENTS
from loopy.kit.errors import CannotStart
from loopy.runs import ids
from loopy.runs.records import Event
from loopy_services.ingress import sensing
from tests.support.services import Running, services, settings_for
from tests.support.waiting import wait_until

SENTRY = json.dumps({"data": {"issue": {"title": "It broke", "permalink": "https://example.org/1"}}}).encode()
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def events(bus: Bus) -> list[Event]:
    """Every event that is on the bus."""
    found = [message async for message in bus.read(EVENTS, [bus.subjects.under("evt", ">")])]
    return [read_event(bus.subjects, message) for message in found]


async def failures(bus: Bus) -> list[FailedDelivery]:
    """Every failed delivery that is on the bus."""
    found = [message async for message in bus.read(DELIVERIES, [bus.subjects.under("failed", ">")])]
    return [read_failed_delivery(message) for message in found]


async def settled(bus: Bus, *, events_made: int = 0, failed: int = 0) -> None:
    """Wait until there are this many events and failures."""

    async def there_are() -> bool:
        return (len(await events(bus)), len(await failures(bus))) == (events_made, failed)

    await wait_until(there_are)


def module_of(project: Path) -> ModuleType:
    """The module of this project's sensors, among all that the tests before have left."""
    file = str(project.resolve() / "sensors/sensors.py")
    [module] = [module for module in sys.modules.values() if getattr(module, "__file__", None) == file]
    return module


async def test_a_delivery_becomes_an_event_of_its_sensor(web: httpx.AsyncClient, bus: Bus) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await web.post("/hooks/sentry", content=SENTRY, headers={"Request-ID": "r-1", "traceparent": trace})
    await settled(bus, events_made=1)
    [event] = await events(bus)
    assert event.id == event.cascade == ids.sensed_id("sentry_issues", "r-1", "Incident", 0)
    assert (event.type, event.source, event.hops, event.traceparent) == ("Incident", "/sensors/sentry_issues", 0, trace)
    assert event.data == {"source": "sentry", "title": "It broke", "link": "https://example.org/1"}


async def test_what_is_repeated_makes_no_second_event(web: httpx.AsyncClient, bus: Bus) -> None:
    for _ in range(3):
        await web.post("/hooks/sentry", content=SENTRY)
    await web.post("/hooks/sentry", content=SENTRY + b" ")
    await settled(bus, events_made=2)


async def test_none_one_and_many_events_in_every_shape(web: httpx.AsyncClient, bus: Bus) -> None:
    await web.post("/hooks/none")
    await web.post("/hooks/many")
    await web.post("/hooks/listed?text=of+a+query", headers={"X-Colour": "blue"})
    await web.post("/hooks/stream", json=["a", "b"])
    await settled(bus, events_made=7)
    made = [(event.type, event.data.get("text", event.data.get("title"))) for event in await events(bus)]
    assert set(made) == {
        ("Noted", "one"),
        ("Incident", "two"),
        ("Noted", "three"),
        ("Noted", "of a query"),
        ("Noted", "blue"),
        ("Noted", "a"),
        ("Noted", "b"),
    }


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("sentry", "ValueError: the body of the request to /hooks/sentry is not JSON"),
        ("raises", "RuntimeError: the tracker is unreachable"),
        ("exits", "RuntimeError: it raised SystemExit"),
        ("async-exits", "RuntimeError: it raised SystemExit"),
        ("wrong", "it gave a dict, not an event of loopy.events"),
        ("stranger", "it gave an Incident, but says emits=Noted"),
        ("endless", "it gave more than 1000 events"),
        ("large", "it gave an event of 1,048,577 bytes; it may have 1,040,384 "),
        ("slow", "it took longer than 0.2 s"),
        ("async-slow", "it took longer than 0.2 s"),
    ],
)
async def test_what_goes_wrong_in_a_sensor_is_kept_and_nothing_is_published(
    web: httpx.AsyncClient, bus: Bus, path: str, error: str
) -> None:
    assert (await web.post(f"/hooks/{path}", headers={"Request-ID": "r-1"})).status_code == 202
    await settled(bus, failed=1)
    [failed] = await failures(bus)
    assert failed.id == "r-1"
    assert failed.error.startswith(error)
    assert await events(bus) == []


async def test_a_wrong_field_is_named(web: httpx.AsyncClient, bus: Bus) -> None:
    body = {"data": {"issue": {"title": 7, "permalink": "not a url"}}}
    await web.post("/hooks/sentry", json=body)
    await settled(bus, failed=1)
    [failed] = await failures(bus)
    assert "Incident" in failed.error
    assert "title" in failed.error
    assert "link" in failed.error


async def test_the_trace_shows_the_authors_lines_alone(web: httpx.AsyncClient, bus: Bus) -> None:
    await web.post("/hooks/sentry", content=b'{"data": {}}')
    await settled(bus, failed=1)
    [failed] = await failures(bus)
    assert failed.error == "KeyError: 'issue'"
    assert failed.trace.startswith('  File "sensors/sensors.py", line 12, in sentry_issues')
    assert "loopy_services" not in failed.trace


async def test_a_sensor_that_blocks_holds_up_neither_the_server_nor_other_sensors(
    web: httpx.AsyncClient, bus: Bus, project: Path
) -> None:
    for number in range(3):
        await web.post("/hooks/blocking", content=str(number).encode())
    await web.post("/hooks/sentry", content=SENTRY)
    await settled(bus, events_made=1)
    assert (await web.get("/")).status_code == 404
    module_of(project).release.set()
    await settled(bus, events_made=4)


async def test_a_message_that_is_no_delivery_is_set_aside(ingress: Running, web: httpx.AsyncClient, bus: Bus) -> None:
    await bus.publish_once(Outgoing(bus.subjects.delivery("sentry_issues", "strange"), b"no head"))
    await web.post("/hooks/sentry", content=SENTRY)
    await settled(bus, events_made=1)

    async def set_aside() -> bool:
        return await bus.position(DEAD) == 1

    await wait_until(set_aside)


async def poll(bus: Bus, at: datetime, last_run: datetime | None) -> None:
    await bus.publish_once(poll_firing_message(bus.subjects, Firing("watch", at, last_run)))


async def test_a_due_poll_becomes_events_and_is_marked_as_done(ingress: Running, bus: Bus) -> None:
    await poll(bus, AT, AT - timedelta(hours=1))
    await settled(bus, events_made=1)
    [event] = await events(bus)
    assert event.id == ids.sensed_id("watch", f"poll-{int(AT.timestamp())}", "Noted", 0)
    assert event.data == {"text": "2026-03-01T11:00:00+00:00 to 2026-03-01T12:00:00+00:00"}

    async def marked() -> bool:
        mark = await bus.last(EVENTS, bus.subjects.poll_done("watch", int(AT.timestamp())))
        return mark is not None and read_firing(mark).scheduled_at == AT

    await wait_until(marked)


async def test_a_poll_that_fails_is_tried_again_then_kept_and_not_marked(
    bus: Bus, project: Path, nats_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensing, "POLL_RETRY_S", 0.01)
    async with services(["ingress"], project, settings_for(nats_url, namespace)):
        await poll(bus, AT, None)
        await settled(bus, failed=1)
    [failed] = await failures(bus)
    assert (failed.sensor, failed.error) == ("watch", "LookupError: try 3")
    assert await bus.last(EVENTS, bus.subjects.poll_done("watch", int(AT.timestamp()))) is None


async def test_deliveries_stored_while_no_ingress_ran_are_mapped_when_one_does(
    bus: Bus, project: Path, nats_url: str, namespace: str
) -> None:
    delivery = Delivery("sentry_issues", "d-1", "/hooks/sentry", {}, {}, SENTRY, AT)
    await bus.publish_once(delivery_message(bus.subjects, delivery))
    async with services(["ingress"], project, settings_for(nats_url, namespace)):
        await settled(bus, events_made=1)


async def test_a_delivery_of_a_sensor_that_nobody_knows_is_kept_as_failed(
    bus: Bus, project: Path, nats_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "PATIENCE", 1)
    await bus.publish_once(delivery_message(bus.subjects, Delivery("removed", "d-1", "/", {}, {}, b"", AT)))
    async with services(["ingress"], project, settings_for(nats_url, namespace)):
        await settled(bus, failed=1)
    [failed] = await failures(bus)
    assert failed.error == "this project has no sensor 'removed'"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("import nothing_like_it\n", "ModuleNotFoundError: No module named 'nothing_like_it' (line 4)"),
        ("1 / 0\n", "ZeroDivisionError: division by zero (line 4)"),
        ("import sys\nsys.exit('bye')\n", "SystemExit: bye (line 5)"),
        ("import loopy.events\nloopy.events.Nothing\n", "registry.yml has no event 'Nothing'"),
        ("broken.__class__ = 3\n", "TypeError"),
        ("del broken\n", "sensors/broken.py has no function broken once it is imported"),
    ],
)
async def test_a_module_that_does_not_import_is_told_in_one_line_and_nothing_starts(
    bus: Bus, project: Path, nats_url: str, namespace: str, content: str, told: str
) -> None:
    head = 'from loopy import sensor\n@sensor(webhook="/hooks/broken", emits="Noted")\ndef broken(req): pass\n'
    (project / "sensors/broken.py").write_text(head + content)
    with pytest.raises(CannotStart) as caught:
        async with services(["ingress"], project, settings_for(nats_url, namespace)):
            pass
    assert told in str(caught.value)
    assert str(caught.value).startswith("sensors/broken.py ")
    assert "\n" not in str(caught.value)
