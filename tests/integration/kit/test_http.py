"""The listener: who gets which request, what cannot be listened on, and errors that tell nothing of how we are made."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from loopy.kit.errors import CannotStart
from loopy.kit.http import HttpServer
from loopy.kit.problems import ASGIApp, Receive, Scope, Send
from loopy.kit.settings import Settings, read_settings


def settings(**fields: Any) -> Settings:
    return read_settings({"LOOPY_NATS_URL": "nats://nowhere"}, **{"port": 0, **fields})


def saying(text: str) -> ASGIApp:
    """An application that answers every request with a text."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text.encode()})

    return app


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("the database password is hunter2")


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    server = HttpServer(settings())
    yield server
    await server.stop()


async def get(server: HttpServer, path: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(server.url + path)


async def test_the_longest_prefix_wins_and_ends_at_a_slash(server: HttpServer) -> None:
    server.mount("/", saying("all"), protected=False)
    server.mount("/api", saying("api"), protected=True)
    await server.start()
    answers = {path: (await get(server, path)).text for path in ("/", "/api", "/api/runs", "/apis", "//api", "/x/api")}
    assert answers == {"/": "all", "/api": "api", "/api/runs": "api", "/apis": "all", "//api": "all", "/x/api": "all"}


async def test_what_nothing_serves_is_a_problem_document(server: HttpServer) -> None:
    server.mount("/api", saying("api"), protected=True)
    await server.start()
    response = await get(server, "/other")
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


async def test_a_failure_is_a_500_that_tells_nothing(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    server.mount("/", broken, protected=False)
    await server.start()
    with caplog.at_level(logging.ERROR):
        response = await get(server, "/")
    assert (response.status_code, response.headers["content-type"]) == (500, "application/problem+json")
    assert "hunter2" not in response.text
    assert "Runtime" not in response.text
    assert "request.failed" in caplog.text


async def test_a_port_in_use_is_told_with_what_to_do(server: HttpServer) -> None:
    server.mount("/", saying("first"), protected=False)
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(CannotStart, match=rf"port {port} on 127.0.0.1 is in use: set LOOPY_PORT"):
        HttpServer(settings(port=port)).mount("/", saying("second"), protected=False)


async def test_a_host_that_leads_nowhere_is_told() -> None:
    with pytest.raises(CannotStart, match=r"cannot listen on"):
        HttpServer(settings(host="256.256.256.256")).mount("/", saying("x"), protected=False)
    with pytest.raises(CannotStart, match=r"cannot listen on"):
        HttpServer(settings(host="192.0.2.1")).mount("/", saying("x"), protected=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_others_are_let_near_an_api_only_with_a_token(host: str) -> None:
    server = HttpServer(settings(host=host))
    server.mount("/", saying("hooks"), protected=False)
    with pytest.raises(CannotStart, match="needs a token: set LOOPY_TOKEN"):
        server.mount("/api", saying("api"), protected=True)
    await server.stop()
    open_server = HttpServer(settings(host=host, token="correct-horse"))
    open_server.mount("/api", saying("api"), protected=True)
    await open_server.start()
    assert (await get(open_server, "/api")).status_code == 401
    await open_server.stop()


async def test_ipv6_has_its_brackets() -> None:
    server = HttpServer(settings(host="::1"))
    server.mount("/", saying("six"), protected=False)
    await server.start()
    assert server.url.startswith("http://[::1]:")
    assert (await get(server, "/")).text == "six"
    await server.stop()


async def test_a_request_under_way_ends_before_the_listener_does(server: HttpServer) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        arrived.set()
        await go_on.wait()
        await saying("in the end")(scope, receive, send)

    server.mount("/", slow, protected=False)
    await server.start()
    asking = asyncio.create_task(get(server, "/"))
    await arrived.wait()
    stopping = asyncio.create_task(server.stop())
    go_on.set()
    assert (await asking).text == "in the end"
    await stopping


async def test_nothing_mounted_is_nothing_bound() -> None:
    server = HttpServer(settings())
    await server.start()
    assert server.url == ""
    await server.stop()


async def test_bytes_that_are_no_http_are_a_400(server: HttpServer) -> None:
    server.mount("/", saying("x"), protected=False)
    await server.start()
    port = int(server.url.rpartition(":")[2])
    for sent in (
        b"\x16\x03\x01\x02\x00\x01\n\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        writer.write_eof()
        answer = await reader.read()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400"), (sent, answer)
        writer.close()
        await writer.wait_closed()
    assert (await get(server, "/")).text == "x"
