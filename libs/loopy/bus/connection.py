"""One connection to NATS: opened with checks, reopened for ever, closed once. The only user of nats-py's client."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from loopy.bus.errors import ApiRefused, BusError, MessageTooLarge, Unavailable
from loopy.bus.subjects import token

OLDEST_SERVER = (2, 12)
CONNECT_TIMEOUT_S = 5
REQUEST_TIMEOUT_S = 2
PING_INTERVAL_S = 5
RECONNECT_WAIT_S = 0.1
PENDING_BYTES = 16 << 20
# A line of protocol holds subject, reply and sizes in 4,096 bytes; beyond it the connection is lost for good.
SUBJECT_BYTES = 2048
# JetStream keeps the length of a message's headers in 16 bits.
HEADER_BYTES = 65_535
# HTTP-like codes of errors that pass by themselves, and JetStream's own for a write to a subject that is being written.
PASSING = (429, 503)
IN_FLIGHT = 10164

_log = logging.getLogger("loopy.bus")
# Without this, Python prints warnings that nobody has asked for to stderr.
_log.addHandler(logging.NullHandler())


class _ApiError(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _ApiReply(msgspec.Struct):
    error: _ApiError | None = None


class _TolerantClient(Client):
    """nats-py's client, whose reader would end at a stranger's subject or headers that are not UTF-8."""

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Msg:
        return self.msg_class(
            subject=subject.decode(errors="replace"),
            reply=reply.decode(errors="replace"),
            data=data,
            headers=headers,
            _client=self,
            _sid=sid,
        )

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        try:
            return await super()._process_headers(headers)
        except (UnicodeDecodeError, IndexError):
            return None


class _Conversation:
    """A request that several messages answer; `ended` says which of them is the last."""

    def __init__(self, ended: Callable[[Msg], bool]) -> None:
        self.messages: list[Msg] = []
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended = ended

    def add(self, message: Msg) -> None:
        self.messages.append(message)
        if self._ended(message) and not self.complete.done():
            self.complete.set_result(None)


class Connection:
    """A connection that heals itself. `generation` counts how often it was opened again."""

    def __init__(self, name: str) -> None:
        self.generation = 0
        self._client = _TolerantClient()
        self._name = name
        self._up = asyncio.Event()
        self._closed = asyncio.Event()
        self._opened = False
        self._failures: asyncio.Queue[Exception] = asyncio.Queue()
        self._conversations: dict[str, _Conversation] = {}
        self._conversation_count = 0
        self._conversation_inbox = ""

    @classmethod
    async def open(cls, url: str, name: str) -> "Connection":
        """Connect. BusError names the server without its credentials, what is wrong with it, and what to do."""
        connection = cls(name)
        try:
            await connection._connect(url)
            await connection._check_server(shown(url))
        except BaseException:
            await connection.close()
            raise
        connection._opened = True
        return connection

    async def _connect(self, url: str) -> None:
        servers = [part.strip() for part in url.split(",") if part.strip()]
        if not servers or any(urlsplit(server).scheme not in ("nats", "tls") for server in servers):
            raise BusError(f"{shown(url)!r} is not the address of a NATS server: write nats://HOST:PORT")
        dial = asyncio.create_task(self._dial(servers))
        failures = asyncio.create_task(self._failed(len(servers)))
        try:
            await asyncio.wait({dial, failures}, timeout=CONNECT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if dial.done():
                return dial.result()
            why = failures.result() if failures.done() else f"no answer within {CONNECT_TIMEOUT_S:g} seconds"
        except (OSError, nats.errors.Error, ValueError) as error:
            why = _plain(error)
        finally:
            dial.cancel()
            failures.cancel()
            await asyncio.gather(dial, failures, return_exceptions=True)
        raise BusError(f"cannot reach NATS at {shown(url)}: {why}")

    async def _dial(self, servers: list[str]) -> None:
        await self._client.connect(
            servers,
            name=self._name,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
            closed_cb=self._on_closed,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_WAIT_S,  # type: ignore[arg-type]  # annotated int, used as seconds
            connect_timeout=CONNECT_TIMEOUT_S,
            ping_interval=PING_INTERVAL_S,
            max_outstanding_pings=2,
            pending_size=PENDING_BYTES,
            flush_timeout=REQUEST_TIMEOUT_S,
            inbox_prefix=f"_INBOX_{token(self._name)}",
        )
        self._up.set()

    async def _failed(self, servers: int) -> str:
        """Why none of so many servers could be connected to."""
        reasons = [_plain(await self._failures.get()) for _ in range(servers)]
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
            raise BusError(f"the NATS server at {where} has no JetStream: enable it (`jetstream {{}}`)") from error
        except ApiRefused as error:
            raise BusError(f"JetStream of the NATS server at {where} cannot be used: {error.description}") from error

    async def _on_error(self, error: Exception) -> None:
        if not self._opened:
            self._failures.put_nowait(error)
        elif isinstance(error, nats.errors.SlowConsumerError) or "permissions violation" in str(error):
            _log.error("bus.error", extra={"connection": self._name, "error": _plain(error)})
        else:
            _log.debug("bus.error", extra={"connection": self._name, "error": _plain(error)})

    async def _on_disconnected(self) -> None:
        self._up.clear()
        if self._opened:
            _log.warning("bus.disconnected", extra={"connection": self._name})

    async def _on_reconnected(self) -> None:
        self.generation += 1
        self._up.set()
        _log.warning("bus.reconnected", extra={"connection": self._name})

    async def _on_closed(self) -> None:
        self._up.clear()
        self._closed.set()
        if self._opened:
            _log.error("bus.closed", extra={"connection": self._name, "error": _plain(self._client.last_error)})

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
        await self._client.close()
        self._up.clear()
        self._closed.set()

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

    def check_size(self, subject: str, payload: bytes, headers: dict[str, str]) -> None:
        """MessageTooLarge before the server would close the connection over it."""
        header_bytes = 12 + sum(len(key) + len(value.encode()) + 4 for key, value in headers.items()) if headers else 0
        if len(subject) > SUBJECT_BYTES:
            raise MessageTooLarge(subject[:60] + "…", "subject", len(subject), SUBJECT_BYTES)
        if header_bytes > HEADER_BYTES:
            raise MessageTooLarge(subject, "headers", header_bytes, HEADER_BYTES)
        if header_bytes + len(payload) > self.max_payload:
            raise MessageTooLarge(subject, "headers and payload", header_bytes + len(payload), self.max_payload)

    async def request(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> bytes:
        """One try of one request. Unavailable when nothing answered; BusError when nothing ever will."""
        try:
            async with asyncio.timeout(2 * REQUEST_TIMEOUT_S):
                reply = await self._client.request(subject, payload, timeout=REQUEST_TIMEOUT_S, headers=headers)
        except (nats.errors.NoRespondersError, nats.errors.TimeoutError, TimeoutError) as error:
            raise Unavailable(f"nothing answers on {subject}") from error
        except nats.errors.OutboundBufferLimitError as error:
            raise Unavailable("the connection is down") from error
        except (nats.errors.BadSubjectError, nats.errors.BadHeaderError) as error:
            raise BusError(f"{subject!r} cannot be sent to: {_plain(error)}") from error
        except nats.errors.Error as error:
            self.check_open()
            raise Unavailable(_plain(error)) from error
        return bytes(reply.data)

    async def api(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        """One call of the JetStream API, such as `STREAM.INFO.LOOPY_EVT`. ApiRefused, Unavailable."""
        reply = await self.request(f"$JS.API.{call}", msgspec.json.encode(body))
        check_reply(reply, call)
        answer: dict[str, Any] = msgspec.json.decode(reply)
        return answer

    async def send(self, subject: str, payload: bytes, reply: str = "") -> None:
        """Publish without an answer: acks, pulls. What cannot be sent is logged: its loss is made good elsewhere."""
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                await self._client.publish(subject, payload, reply=reply)
        except (nats.errors.Error, TimeoutError) as error:
            _log.debug("bus.unsent", extra={"subject": subject, "error": _plain(error)})

    async def converse(self, subject: str, payload: bytes, ended: Callable[[Msg], bool]) -> list[Msg]:
        """One request and all its answers up to the one that ends it. Unavailable when they do not all come."""
        if not self._conversation_inbox:
            self._conversation_inbox = self._client.new_inbox()
            await self.subscribe(f"{self._conversation_inbox}.*", self._on_answer)
        self._conversation_count += 1
        number = str(self._conversation_count)
        conversation = self._conversations[number] = _Conversation(ended)
        try:
            await self.send(subject, payload, f"{self._conversation_inbox}.{number}")
            await asyncio.wait_for(conversation.complete, REQUEST_TIMEOUT_S)
        except TimeoutError as error:
            raise Unavailable(f"nothing answers on {subject}") from error
        finally:
            del self._conversations[number]
        return conversation.messages

    async def _on_answer(self, message: Msg) -> None:
        conversation = self._conversations.get(message.subject.rpartition(".")[2])
        if conversation is not None:
            conversation.add(message)

    def new_inbox(self) -> str:
        """A subject of this connection's own, for answers."""
        return str(self._client.new_inbox())

    async def subscribe(self, subject: str, receive: Callable[[Msg], Awaitable[None]]) -> Subscription:
        """Have `receive` called with every message of a subject; survives reconnects. BusError."""
        try:
            return await self._client.subscribe(subject, cb=receive)
        except nats.errors.Error as error:
            raise BusError(f"cannot subscribe to {subject!r}: {_plain(error)}") from error

    async def messages(self, subject: str) -> AsyncGenerator[Msg]:
        """Every message of a subject from now on; ends when the connection is closed. BusError."""
        try:
            subscription = await self._client.subscribe(subject)
        except nats.errors.Error as error:
            raise BusError(f"cannot subscribe to {subject!r}: {_plain(error)}") from error
        try:
            async for message in subscription.messages:
                yield message
        finally:
            await unsubscribe(subscription)


async def unsubscribe(subscription: Subscription, *, drain: bool = False) -> None:
    """End a subscription, with `drain` after all that the server had sent was received."""
    with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
        if drain:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                await subscription.drain()  # type: ignore[no-untyped-call]
        else:
            await subscription.unsubscribe()


def check_reply(reply: bytes, what: str) -> None:
    """Raise the error that a JSON reply of JetStream holds: Unavailable when it may pass, else ApiRefused."""
    try:
        error = msgspec.json.decode(reply, type=_ApiReply).error
    except msgspec.DecodeError as undecodable:
        raise Unavailable(f"{what}: the answer is not JetStream's") from undecodable
    if error is None:
        return
    if error.code in PASSING or error.err_code == IN_FLIGHT:
        raise Unavailable(f"{what}: {error.description} (JetStream error {error.err_code})")
    raise ApiRefused(what, error.code, error.err_code, error.description)


def shown(url: str) -> str:
    """An address as it may be shown: without the user, password or token in it."""
    return ",".join(_without_credentials(part.strip()) for part in url.split(","))


def _without_credentials(address: str) -> str:
    scheme, separator, rest = address.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _plain(error: Exception | None) -> str:
    """What happened, in a few words."""
    match error:
        case None:
            return "closed by the server"
        case ConnectionRefusedError():
            return "connection refused: is the server running?"
        case ssl.SSLError():
            return f"TLS failed: {error.reason or error}"
        case OSError():
            return error.strerror or str(error)
    text = str(error).removeprefix("nats: ").strip().strip("'")
    if "authorization violation" in text.lower():
        return "it refuses the credentials"
    return text or type(error).__name__
