"""Health and metrics over HTTP: `/livez`, `/readyz`, `/metrics`. They hold no secret, so they ask for no token."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from loopy.bus.client import Bus, BusError
from loopy.bus.room import Room
from loopy.bus.streams import STREAMS
from loopy.kit.http import Address, HttpServer
from loopy.kit.measuring import CONTENT_TYPE, Look, Measurements
from loopy.kit.metrics import Metrics
from loopy.kit.problems import Problem, Receive, Scope, Send
from loopy.kit.settings import Settings

if TYPE_CHECKING:
    from loopy.kit.service import Host

LIVE, READY, METRICS = "/livez", "/readyz", "/metrics"
PATHS = (LIVE, READY, METRICS)

State: TypeAlias = Literal["starting", "ready", "disconnected", "unbound", "draining"]


class Operations:
    """What operators ask of a process: an ASGI application for the three paths, and the listener that it may need.

    `draining` is set before anything else when the process is told to stop: whoever sends work here then stops first.
    """

    def __init__(self, settings: Settings) -> None:
        self.draining = False
        self._measurements = Measurements()
        self._hosts: list[Host] = []
        self._apart = settings.ops_port is not None
        self._own = HttpServer(
            settings, Address(settings.ops_host, settings.ops_port or 0, "LOOPY_OPS_HOST", "LOOPY_OPS_PORT")
        )

    def metrics(self, service: str) -> Metrics:
        """What a service counts with."""
        return self._measurements.of(service)

    def watch(self, hosts: Iterable["Host"]) -> None:
        """Tell of these services from now on."""
        self._hosts.extend(hosts)

    async def open_apart(self) -> None:
        """Listen at the port that the settings name for this alone, if they do. CannotStart."""
        if self._apart:
            await self._listen()

    async def open(self, http: HttpServer) -> None:
        """Be served by the process's listener, or by an own one when there is nothing else to serve. CannotStart."""
        if self._apart:
            return
        if http.mounted:
            self._mount(http)
        else:
            await self._listen()

    async def close(self) -> None:
        """End the own listener, if there is one."""
        await self._own.stop()

    async def _listen(self) -> None:
        self._mount(self._own)
        await self._own.start()

    def _mount(self, http: HttpServer) -> None:
        import structlog

        for path in PATHS:
            http.mount(path, self, protected=False)
        structlog.get_logger().info("operations.listening", url=http.url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] not in ("GET", "HEAD"):
            raise Problem(405, "this path takes GET and HEAD", headers={"Allow": "GET, HEAD"})
        match scope["path"]:
            case "/livez":
                await _answer(send, 200, b"alive\n", "text/plain; charset=utf-8")
            case "/readyz":
                await self._tell_readiness(send)
            case "/metrics":
                await _answer(send, 200, await self._scrape(), CONTENT_TYPE)
            case _:
                raise Problem(404, "nothing is served at this path")

    async def _tell_readiness(self, send: Send) -> None:
        states = {host.name: self._state(host) for host in self._hosts}
        ready = bool(states) and all(state == "ready" for state in states.values())
        body = msgspec.json.encode({"ready": ready, "services": states})
        await _answer(send, 200 if ready else 503, body, "application/json")

    def _state(self, host: "Host") -> State:
        if self.draining:
            return "draining"
        if not host.is_ready.is_set():
            return "starting"
        if not host.bus.connected:
            return "disconnected"
        return "ready" if host.bus.bound else "unbound"

    async def _scrape(self) -> bytes:
        looks = (self._look(host, rooms=not number) for number, host in enumerate(self._hosts))
        return self._measurements.text(await asyncio.gather(*looks))

    async def _look(self, host: "Host", *, rooms: bool) -> Look:
        bus = host.bus
        return Look(
            service=host.name,
            ready=self._state(host) == "ready",
            connected=bus.connected,
            reconnects=bus.reconnects,
            dead_letters=dict(bus.set_aside),
            lag=await _lag(bus),
            rooms=await _rooms(bus) if rooms else {},
        )


async def _lag(bus: Bus) -> dict[str, int]:
    """How many messages each consumer of a service has still to deal with, where the server says."""
    consumers = bus.consuming if bus.connected else ()
    answers = await asyncio.gather(*(bus.lag(consumer) for consumer in consumers), return_exceptions=True)
    lag: dict[str, int] = {}
    for consumer, answer in zip(consumers, answers, strict=True):
        if isinstance(answer, int):
            lag[consumer.name] = answer
        elif not isinstance(answer, BusError):
            raise answer
    return lag


async def _rooms(bus: Bus) -> dict[str, tuple[int, int | None]]:
    """What each stream holds and may hold, where the server says."""
    streams = STREAMS if bus.connected else ()
    answers = await asyncio.gather(*(bus.room(stream) for stream in streams), return_exceptions=True)
    rooms: dict[str, tuple[int, int | None]] = {}
    for stream, answer in zip(streams, answers, strict=True):
        if isinstance(answer, Room):
            rooms[stream.name] = (answer.bytes, answer.most_bytes)
        elif not isinstance(answer, BusError):
            raise answer
    return rooms


async def _answer(send: Send, status: int, body: bytes, kind: str) -> None:
    headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store")]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
