"""Webhooks at the door: what is accepted, what is refused and how, and that nothing is answered before it is stored."""

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loopy.bus.client import Bus
from loopy.bus.codec import Delivery, read_delivery
from loopy.bus.messages import Outgoing, Stored
from loopy.bus.streams import DELIVERIES
from tests.support.services import Running

SENTRY = json.dumps({"data": {"issue": {"title": "It broke", "permalink": "https://example.org/1"}}}).encode()


async def stored(bus: Bus) -> list[Delivery]:
    """Every delivery that is on the bus."""
    return [read_delivery(message) async for message in bus.read(DELIVERIES, [bus.subjects.under("delivery", ">")])]


def assert_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """That the response is a problem document of this status; the document."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    return document


def signed(body: bytes, secret: bytes = b"geheim") -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"}


async def test_a_delivery_is_answered_when_it_is_on_the_bus_byte_for_byte(web: httpx.AsyncClient, bus: Bus) -> None:
    body = b'{"bytes": "\xff\x00 are kept"}'
    response = await web.post(
        "/hooks/none?a=1&a=2&b=%C3%A4", content=body, headers={"Request-ID": "r-1", "X-Colour": "blue"}
    )
    assert (response.status_code, response.json()) == (202, {"delivery": "r-1"})
    [delivery] = await stored(bus)
    assert (delivery.sensor, delivery.id, delivery.path, delivery.body) == ("nothing", "r-1", "/hooks/none", body)
    assert delivery.query == {"a": "2", "b": "ä"}
    assert delivery.headers["x-colour"] == "blue"


async def test_credentials_and_signatures_are_not_stored(web: httpx.AsyncClient, bus: Bus) -> None:
    secret = ("Authorization", "Cookie", "X-Hub-Signature-256", "Linear-Signature", "X-Gitlab-Token", "X-Api-Key")
    await web.post("/hooks/none", headers=dict.fromkeys((*secret, "X-Plain"), "hush"))
    [delivery] = await stored(bus)
    assert [name for name, value in delivery.headers.items() if value == "hush"] == ["x-plain"]


async def test_what_a_sender_repeats_is_one_delivery(web: httpx.AsyncClient, bus: Bus) -> None:
    first = await web.post("/hooks/none", content=b"1", headers={"X-GitHub-Delivery": "g"})
    again = await web.post("/hooks/none", content=b"1", headers={"X-GitHub-Delivery": "g"})
    assert (first.status_code, first.json()) == (202, {"delivery": "g"})
    assert (again.status_code, again.json()) == (202, {"delivery": "g", "duplicate": True})
    assert len(await stored(bus)) == 1


async def test_without_an_id_the_same_bytes_to_the_same_place_are_one_delivery(
    web: httpx.AsyncClient, bus: Bus
) -> None:
    places = ["/hooks/none", "/hooks/none", "/hooks/none?x=1", "/hooks/listed"]
    answers = [(await web.post(place, content=b"same")).json() for place in places]
    assert [answer.get("duplicate", False) for answer in answers] == [False, True, False, False]
    assert len(await stored(bus)) == 3


async def test_an_odd_id_of_a_sender_is_still_one_subject(web: httpx.AsyncClient, bus: Bus) -> None:
    for odd in (b"a.b *>", b"x" * 5000, b"sp ace", b"\xe4"):
        assert (await web.post("/hooks/none", headers=[(b"webhook-id", odd)])).status_code == 202
    assert len({delivery.id for delivery in await stored(bus)}) == 4


async def test_a_trace_that_came_with_a_request_is_carried_on_and_else_begun(web: httpx.AsyncClient, bus: Bus) -> None:
    given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for number, trace in enumerate((given, "nonsense", None)):
        headers = {"Request-ID": str(number)} | ({"traceparent": trace} if trace else {})
        await web.post("/hooks/none", headers=headers)
    traces = [delivery.headers["traceparent"] for delivery in await stored(bus)]
    assert traces[0] == given
    assert all(len(trace) == 55 and trace.startswith("00-") for trace in traces)
    assert len(set(traces)) == 3


async def test_an_unknown_path_is_a_404_and_a_wrong_method_a_405(web: httpx.AsyncClient) -> None:
    assert_problem(await web.post("/hooks/unknown"), 404)
    assert_problem(await web.get("/"), 404)
    for method in ("GET", "PUT", "DELETE", "PATCH", "PROPFIND"):
        response = await web.request(method, "/hooks/none")
        assert_problem(response, 405)
        assert "POST" in response.headers["allow"]


async def test_a_body_that_is_too_large_is_a_413_announced_or_not(web: httpx.AsyncClient, bus: Bus) -> None:
    async def chunks() -> Any:
        for _ in range(5):
            yield b"x" * 1000

    document = assert_problem(await web.post("/hooks/none", content=b"x" * 4097), 413)
    assert "4096" in document["detail"]
    assert_problem(await web.post("/hooks/none", content=chunks()), 413)
    assert (await web.post("/hooks/none", content=b"x" * 4096)).status_code == 202
    assert len(await stored(bus)) == 1


async def raw(ingress: Running, *parts: bytes) -> bytes:
    """What is answered to these bytes on a connection of their own."""
    port = int(ingress.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(1 << 16), 5)
    writer.close()
    return answer


async def test_a_length_that_lies_stores_nothing_but_what_it_announced(ingress: Running, bus: Bus) -> None:
    head = b"POST /hooks/none HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    assert (await raw(ingress, head % 10**12)).startswith(b"HTTP/1.1 413")
    assert (await raw(ingress, head % 3, b"abcGET / HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 202")
    for length in (b"-1", b"ten", b"1e3", b"9" * 5000):
        sent = b"POST /hooks/none HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n"
        assert (await raw(ingress, sent)).startswith((b"HTTP/1.1 400", b"HTTP/1.1 413")), length
    assert [delivery.body for delivery in await stored(bus)] == [b"abc"]


async def test_chunks_that_are_no_chunks_are_a_400(ingress: Running, bus: Bus) -> None:
    head = b"POST /hooks/none HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (await raw(ingress, head + b"zz\r\nabc\r\n0\r\n\r\n")).startswith(b"HTTP/1.1 400")
    assert (await raw(ingress, head + b"3\r\nabc\r\n0\r\n\r\n")).startswith(b"HTTP/1.1 202")
    assert [delivery.body for delivery in await stored(bus)] == [b"abc"]


async def test_only_what_is_signed_by_an_active_secret_is_stored(web: httpx.AsyncClient, bus: Bus) -> None:
    body = b'{"n": 1}'
    for headers in ({}, signed(body, b"wrong"), signed(b"other"), {"X-Hub-Signature-256": "sha256=\xff"}):
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        assert_problem(await web.post("/hooks/signed", content=body, headers=encoded), 401)
    assert await stored(bus) == []
    for number, secret in enumerate((b"old", b"geheim")):
        headers = {**signed(body, secret), "X-GitHub-Delivery": str(number)}
        assert (await web.post("/hooks/signed", content=body, headers=headers)).status_code == 202
    assert len(await stored(bus)) == 2


async def test_without_its_secret_a_webhook_is_a_503_so_that_senders_come_again(
    web: httpx.AsyncClient, bus: Bus
) -> None:
    response = await web.post("/hooks/unset", content=b"{}", headers={"Sentry-Hook-Signature": "00"})
    assert_problem(response, 503)
    assert int(response.headers["retry-after"]) > 0
    assert await stored(bus) == []


async def test_slacks_signed_challenge_is_answered_and_not_stored(web: httpx.AsyncClient, bus: Bus) -> None:
    body = b'{"type": "url_verification", "challenge": "3eZbrw"}'
    now = str(int(time.time()))
    mac = hmac.new(b"geheim", f"v0:{now}:".encode() + body, hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": f"v0={mac}"}
    response = await web.post("/hooks/slack", content=body, headers=headers)
    assert (response.status_code, response.json()) == (200, {"challenge": "3eZbrw"})
    assert_problem(await web.post("/hooks/slack", content=body), 401)
    assert await stored(bus) == []


async def test_while_the_stream_takes_nothing_the_sender_is_told_to_come_again(
    web: httpx.AsyncClient, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(self: Bus, message: Outgoing) -> Stored:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("loopy_services.ingress.webhooks.STORE_S", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(Bus, "publish_once", never)
        response = await web.post("/hooks/none", content=b"later")
    assert_problem(response, 503)
    assert response.headers["retry-after"] == "5"
    assert (await web.post("/hooks/none", content=b"later")).status_code == 202


async def test_a_sender_that_breaks_off_stores_nothing(ingress: Running, web: httpx.AsyncClient, bus: Bus) -> None:
    port = int(ingress.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /hooks/none HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await web.post("/hooks/none", content=b"whole")
    assert [delivery.body for delivery in await stored(bus)] == [b"whole"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "TRACE", "FOO"]),
    path=st.one_of(
        st.sampled_from(
            ["/hooks/none", "/hooks/none/", "//hooks/none", "/hooks/none/..", "/hooks/%6eone", "/%00", "*"]
        ),
        st.binary(max_size=30).map(lambda b: "/" + "".join(f"%{byte:02x}" for byte in b)),
    ),
    query=st.binary(max_size=20).map(lambda b: "".join(f"%{byte:02x}" for byte in b)),
    header=st.binary(max_size=30).map(lambda b: bytes(byte for byte in b if byte >= 32 and byte != 127).strip()),
    body=st.binary(max_size=100),
)
async def test_no_request_is_a_fault_of_ours(
    web: httpx.AsyncClient, method: str, path: str, query: str, header: bytes, body: bytes
) -> None:
    headers = [
        (name, header) for name in (b"content-type", b"content-encoding", b"request-id", b"traceparent", b"x-odd")
    ]
    response = await web.request(method, f"{path}?{query}" if path != "*" else "/", content=body, headers=headers)
    assert response.status_code < 500
    if response.status_code >= 400 and method != "HEAD":
        assert response.headers["content-type"] == "application/problem+json"
