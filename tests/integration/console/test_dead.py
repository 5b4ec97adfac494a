"""Dead letters by the console's API."""

import base64

import httpx
import pytest

from loopy.bus.client import Bus
from loopy.bus.dead import DeadMessage, dead_message
from loopy.bus.messages import Outgoing
from loopy.bus.streams import EVENTS
from tests.integration.console.test_api import AT, api, assert_problem

__all__ = ["api"]


async def set_aside(bus: Bus, number: int, reason: str = "wrong_type") -> str:
    """An event, and the dead letter that a dispatcher made of it; the letter's id."""
    subject, payload = bus.subjects.event("A", str(number)), b"\xff\x00" + bytes([number])
    stored = await bus.publish_once(Outgoing(subject, payload))
    letter = DeadMessage(
        "EVT", subject, stored.sequence, reason, "why", AT, {"ce-id": "1"}, payload, stored.sequence, AT
    )
    await bus.publish_once(dead_message(bus.subjects, letter, bus.max_payload))
    return letter.id


async def listed(api: httpx.AsyncClient, query: str = "") -> list[str]:
    return [one["id"] for one in (await api.get(f"/api/dead?{query}")).json()["dead"]]


async def test_dead_letters_are_listed_the_newest_first_and_chosen(api: httpx.AsyncClient, bus: Bus) -> None:
    one, two, three = [await set_aside(bus, 1), await set_aside(bus, 2, "bad_payload"), await set_aside(bus, 3)]
    assert await listed(api) == [three, two, one]
    assert await listed(api, "limit=1") == [three]
    assert await listed(api, "reason=bad_payload") == [two]
    assert await listed(api, "stream=evt&reason=wrong_type") == [three, one]
    assert await listed(api, "stream=RUN") == []


async def test_one_is_shown_with_its_bytes(api: httpx.AsyncClient, bus: Bus) -> None:
    shown = (await api.get(f"/api/dead/{(await set_aside(bus, 7)).lower()}")).json()
    assert base64.b64decode(shown["payload"]) == b"\xff\x00\x07"
    assert (shown["text"], shown["headers"], shown["settled"]) == (None, {"ce-id": "1"}, None)


async def test_who_settles_one_may_be_said_in_the_body(api: httpx.AsyncClient, bus: Bus) -> None:
    settled = (await api.post(f"/api/dead/{await set_aside(bus, 1)}/drop", json={"by": "ada"})).json()["settled"]
    assert settled["by"] == "ada"


async def test_one_is_replayed_once_and_cannot_be_dropped_then(api: httpx.AsyncClient, bus: Bus) -> None:
    identity = await set_aside(bus, 1)
    answers = [(await api.post(f"/api/dead/{identity}/replay?by=ada")).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert (answers[0]["id"], answers[0]["settled"]["fate"], answers[0]["settled"]["by"]) == (
        identity,
        "replayed",
        "ada",
    )
    stored = await bus.last(EVENTS, bus.subjects.under("replay.evt.A.1", "1"))
    assert stored is not None
    assert stored.payload == b"\xff\x00\x01"
    assert await bus.position(EVENTS) == 2
    refused = assert_problem(await api.post(f"/api/dead/{identity}/drop"), 409)
    assert "was replayed by ada" in refused["detail"]
    assert (await listed(api), await listed(api, "settled=true")) == ([], [identity])


async def test_one_is_dropped_by_the_console_if_nobody_is_named(api: httpx.AsyncClient, bus: Bus) -> None:
    identity = await set_aside(bus, 1)
    answer = (await api.post(f"/api/dead/{identity}/drop")).json()
    assert (answer["settled"]["fate"], answer["settled"]["by"]) == ("dropped", "console")
    assert await bus.position(EVENTS) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [("EVT-99", 404), ("NO-1", 404), ("x", 400), ("EVT-*", 400), ("%3E-1", 400), ("EVT-1.2", 400), ("a" * 5000, 400)],
)
async def test_what_is_no_dead_letter_is_a_problem(api: httpx.AsyncClient, path: str, status: int) -> None:
    assert_problem(await api.get(f"/api/dead/{path}"), status)
    for action in ("replay", "drop"):
        assert_problem(await api.post(f"/api/dead/{path}/{action}"), status)


@pytest.mark.parametrize("query", ["stream=*", "stream=", "settled=yes", "limit=0"])
async def test_a_query_that_is_wrong_is_a_400(api: httpx.AsyncClient, query: str) -> None:
    assert_problem(await api.get(f"/api/dead?{query}"), 400)


async def test_nothing_is_settled_by_a_look_or_by_another_sites_page(api: httpx.AsyncClient, bus: Bus) -> None:
    identity = await set_aside(bus, 1)
    assert_problem(await api.get(f"/api/dead/{identity}/drop"), 405)
    foreign = {"origin": "https://evil.example"}
    assert_problem(await api.post(f"/api/dead/{identity}/drop", headers=foreign), 403)
    assert_problem(await api.post(f"/api/dead/{identity}/drop?by=%00"), 400)
    assert await listed(api) == [identity]
