"""One connection to NATS: opened with checks, reopened for ever, closed once. Only here is nats-py's client driven."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec
import nats.errors

from loopy.bus.api import check_reply
from loopy.bus.conversations import Conversations
from loopy.bus.errors import ApiRefused, BusError, Unavailable, Unreachable
from loopy.bus.stall import Stall
from loopy.bus.subjects import token
from loopy.bus.subscriptions import Watch, unsubscribe
from loopy.bus.tolerant import REFUSED, TolerantClient, in_words, server_addresses, without_credentials
from loopy.bus.transport import Subscription
from loopy.bus.wire import STATUS, Arrived, Unsendable, publication

OLDEST_SERVER = (2, 12)
CONNECT_TIMEOUT_S = 5
REQUEST_TIMEOUT_S = 2
PING_INTERVAL_S = 5
RECONNECT_WAIT_S = 0.1
PENDING_BYTES = 16 << 20

_log = logging.getLogger("loopy.bus")
# Without this, Python prints warnings that nobody has asked for to stderr.
_log.addHandler(logging.NullHandler())


class Connection:
    """A connection that heals itself. `generation` counts how often it was opened again."""

    def __init__(self, name: str) -> None:
        self.generation = 0
        self._client = TolerantClient()
        self._name = name
        self._up = asyncio.Event()
        self._closed = asyncio.Event()
        self._opened = False
        self._failures: asyncio.Queue[Exception] = asyncio.Queue()
        self._conversations = Conversations("", REQUEST_TIMEOUT_S)
        self._watches: set[Watch] = set()
        self._stall = Stall()

    @classmethod
    async def open(cls, url: str, name: str) -> "Connection":
        """Connect. BusError names the server without its credentials, what is wrong with it, and what to do.

        Unreachable when it may yet come: it does not answer, or its JetStream does not.
        """
        where = without_credentials(url)
        try:
            servers = server_addresses(url)
        except ValueError as error:
            raise BusError(f"{where!r} is not the address of a NATS server: write nats://HOST:PORT") from error
        random.shuffle(servers)
        connection = cls(name)
        try:
            await connection._connect(servers, where)
            await connection._check_server(where)
        except BaseException:
            await connection.close()
            raise
        connection._opened = True
        return connection

    async def _connect(self, servers: list[str], where: str) -> None:
        dial = asyncio.create_task(self._dial(servers))
        failures = asyncio.create_task(self._failed(len(servers)))
        try:
            await asyncio.wait({dial, failures}, timeout=CONNECT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if dial.done():
                return dial.result()
            why = failures.result() if failures.done() else f"no answer within {CONNECT_TIMEOUT_S:g} seconds"
        except (OSError, nats.errors.Error) as error:
            why = in_words(error)
        finally:
            dial.cancel()
            failures.cancel()
            await asyncio.gather(dial, failures, return_exceptions=True)
        problem = f"cannot reach NATS at {where}: {why}"
        raise BusError(problem) if REFUSED in why else Unreachable(problem)

    async def _dial(self, servers: list[str]) -> None:
        await self._client.connect(
            servers,
            name=self._name,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
            closed_cb=self._on_closed,
            max_reconnect_attempts=-1,
            dont_randomize=True,  # a connection that is made anew goes to another server than the one before
            reconnect_time_wait=RECONNECT_WAIT_S,  # type: ignore[arg-type]  # annotated int, used as seconds
            connect_timeout=CONNECT_TIMEOUT_S,
            ping_interval=PING_INTERVAL_S,
            max_outstanding_pings=2,
            pending_size=PENDING_BYTES,
            flush_timeout=REQUEST_TIMEOUT_S,
            inbox_prefix=f"_INBOX_{token(self._name)}",
        )
        self._conversations = Conversations(self.new_inbox(), REQUEST_TIMEOUT_S)
        await self.subscribe(self._conversations.subject, self._conversations.receive)
        self._up.set()

    async def _failed(self, servers: int) -> str:
        """Why none of so many servers could be connected to."""
        reasons = [in_words(await self._failures.get()) for _ in range(servers)]
        return "; ".join(dict.fromkeys(reasons))

    async def _check_server(self, where: str) -> None:
        version = self._client.connected_server_version
        if (version.major, version.minor) < OLDEST_SERVER:
            oldest = ".".join(map(str, OLDEST_SERVER))
            raise BusError(
                f"the NATS server at {where} is version {version.major}.{version.minor}; Loopy needs {oldest} or newer,"
                " for scheduled messages and reads of many subjects at once"
            )
        try:
            await self.api("INFO", {})
        except Unavailable as error:
            if self._client.has_jetstream:
                raise Unreachable(f"JetStream of the NATS server at {where} does not answer") from error
            raise BusError(f"the NATS server at {where} has no JetStream: enable it (`jetstream {{}}`)") from error
        except ApiRefused as error:
            raise BusError(f"JetStream of the NATS server at {where} cannot be used: {error.description}") from error

    async def _on_error(self, error: Exception) -> None:
        if not self._opened:
            self._failures.put_nowait(error)
        elif isinstance(error, nats.errors.SlowConsumerError) or "permissions violation" in str(error):
            _log.error("bus.error", extra={"connection": self._name, "error": in_words(error)})
        else:
            _log.debug("bus.error", extra={"connection": self._name, "error": in_words(error)})

    async def _on_disconnected(self) -> None:
        self._up.clear()
        self._conversations.interrupt()
        if self._opened:
            _log.warning("bus.disconnected", extra={"connection": self._name})

    async def _on_reconnected(self) -> None:
        self.generation += 1
        self._up.set()
        _log.warning("bus.reconnected", extra={"connection": self._name})

    async def _on_closed(self) -> None:
        self._up.clear()
        self._conversations.interrupt()
        self._end()
        if self._opened:
            _log.error("bus.closed", extra={"connection": self._name, "error": in_words(self._client.last_error)})

    @property
    def connected(self) -> bool:
        """Whether the server can be talked to now."""
        return self._up.is_set()

    @property
    def max_payload(self) -> int:
        """The most bytes of headers and payload that the server takes in one message."""
        return int(self._client.max_payload)

    def check_open(self) -> None:
        """BusError when the connection is closed for good."""
        if self._client.is_closed:
            raise BusError(f"the connection {self._name!r} to NATS is closed")

    async def closed(self) -> None:
        """Return when the connection is closed for good."""
        await self._closed.wait()

    async def close(self) -> None:
        """Send what is still to be sent, and close for good."""
        self._opened = False
        if self.connected:
            await self.flush()
        # nats-py writes what is unsent even when the server is gone, and its transport too. It is closed all the same.
        with contextlib.suppress(OSError, RuntimeError):
            await self._client.close()
        self._up.clear()
        self._end()

    def _end(self) -> None:
        self._closed.set()
        for watch in self._watches:
            watch.end()

    async def flush(self) -> None:
        """Return when the server has had all that was sent, or does not answer for a moment."""
        with contextlib.suppress(nats.errors.Error, OSError):
            await self._client.flush(timeout=REQUEST_TIMEOUT_S)

    async def ready(self) -> None:
        """Wait until the server can be talked to. BusError when it never can be again."""
        self.check_open()
        if not self._up.is_set():
            waits = [asyncio.ensure_future(self._up.wait()), asyncio.ensure_future(self._closed.wait())]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
            self.check_open()

    async def request(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> bytes:
        """One try of one request with one answer. Unavailable when there is none; BusError when there never will be."""
        [answer] = await self.converse(subject, payload, _first, headers)
        return answer.data

    async def converse(
        self, subject: str, payload: bytes, ended: Callable[[Arrived], bool], headers: dict[str, str] | None = None
    ) -> list[Arrived]:
        """One try of one request, and all its answers up to the one that ends it. Unavailable, BusError."""
        self.check_open()
        number, reply, conversation = self._conversations.begin(ended)
        try:
            self._client.send(publication(subject, reply, payload, headers))
            answers = await conversation.complete
        except (TimeoutError, nats.errors.OutboundBufferLimitError) as error:
            self.check_open()
            await self.unanswered(conversation.begun)
            raise Unavailable(f"nothing answers on {subject}") from error
        except Unsendable as error:
            raise BusError(f"{subject!r} cannot be sent to: {error}") from error
        finally:
            self._conversations.end(number)
        if answers[-1].head and _nobody_listens(answers[-1]):
            await self.unanswered(conversation.begun)
            raise Unavailable(f"nobody listens on {subject}")
        self._stall.answered()
        return answers

    async def unanswered(self, since: float) -> None:
        """Note that what was asked at `since`, in the loop's time, has had no answer.

        When that goes on, the next server of the list is connected to.
        """
        if self.connected and self._stall.unanswered(since, asyncio.get_running_loop().time()):
            _log.warning("bus.stalled", extra={"connection": self._name})
            await self._client.force_reconnect()

    async def api(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        """One call of the JetStream API, such as `STREAM.INFO.LOOPY_EVT`. ApiRefused, Unavailable."""
        reply = await self.request(f"$JS.API.{call}", msgspec.json.encode(body))
        check_reply(reply, call)
        answer: dict[str, Any] = msgspec.json.decode(reply)
        return answer

    def send(self, subject: str, payload: bytes, reply: str = "") -> None:
        """Publish without an answer: acks, pulls. What cannot be sent is logged: its loss is made good elsewhere."""
        try:
            self._client.send(publication(subject, reply, payload))
        except (nats.errors.OutboundBufferLimitError, Unsendable) as error:
            _log.debug("bus.unsent", extra={"subject": subject, "error": in_words(error)})

    def new_inbox(self) -> str:
        """A subject of this connection's own, for answers."""
        return str(self._client.new_inbox())

    async def subscribe(self, subject: str, receive: Callable[[Arrived], None]) -> Subscription:
        """Have `receive` called with every message of a subject; survives reconnects. BusError."""
        try:
            return await self._client.receive(subject, receive)
        except nats.errors.Error as error:
            raise BusError(f"cannot subscribe to {subject!r}: {in_words(error)}") from error

    async def messages(self, subject: str) -> AsyncGenerator[Arrived]:
        """Every message of a subject from now on; ends when the connection is closed. BusError."""
        watch = Watch(subject)
        subscription = await self.subscribe(subject, watch.receive)
        self._watches.add(watch)
        try:
            while not self._closed.is_set() and (message := await watch.next()) is not None:
                yield message
        finally:
            self._watches.discard(watch)
            await unsubscribe(subscription)


def _first(answer: Arrived) -> bool:
    return True


def _nobody_listens(answer: Arrived) -> bool:
    return answer.headers.get(STATUS) == "503" and not answer.data and "Nats-Sequence" not in answer.headers
