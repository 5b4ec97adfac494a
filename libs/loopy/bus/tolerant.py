"""nats-py's client with a short way through it, made to endure what a stranger may send, and its errors in plain words.

It connects and heals as ever. What is sent in one turn of the loop is written at its end, all at once; what arrives is
given to whom it is for while it is parsed. Neither takes a task, a queue or a future for each message.
"""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport
from nats.errors import OutboundBufferLimitError, ProtocolError

from loopy.bus.parser import Parser
from loopy.bus.wire import Arrived

FLUSH_TIMEOUT_S = 2
REFUSED = "it refuses the credentials"


class _Line(TcpTransport):
    """nats-py's way to the server, which knows how much of what was written is still here."""

    def __bool__(self) -> bool:
        return True  # nats-py would put its own in its place before it is connected

    @property
    def unwritten(self) -> int:
        """Bytes."""
        return self._io_writer.transport.get_write_buffer_size() if self._io_writer is not None else 0


class TolerantClient(Client):
    """A client whose reader does not end at a subject or at headers that are not UTF-8, or at an answer that comes too
    late, and whose flush flushes."""

    def __init__(self) -> None:
        super().__init__()
        self._ps = Parser(self)
        self._line = self._transport = _Line()
        self._receivers: dict[bytes, Callable[[Arrived], None]] = {}
        self._to_be_written = False
        self._crowded = False

    async def _process_pong(self) -> None:
        """Take an answer to a ping; nobody waits any more for one that comes too late."""
        with contextlib.suppress(asyncio.InvalidStateError):
            await super()._process_pong()

    @property
    def has_jetstream(self) -> bool:
        """Whether the server says of itself that it has JetStream, though it may not be ready."""
        return bool(self._server_info.get("jetstream"))

    def send(self, pieces: Sequence[bytes]) -> None:
        """Send this at the end of this turn of the loop, or as soon as there is a connection again.

        OutboundBufferLimitError when too much waits already: the server takes nothing.
        """
        if self._crowded and self._unwritten > self._max_pending_size:
            raise OutboundBufferLimitError
        self._pending += pieces
        self._pending_data_size += sum(map(len, pieces))
        if self._pending_data_size > self._max_pending_size:
            self._crowded = True
        if not self._to_be_written:
            self._to_be_written = True
            asyncio.get_running_loop().call_soon(self._write)

    async def receive(self, subject: str, receiver: Callable[[Arrived], None]) -> Subscription:
        """Have every message of a subject given to `receiver`, which waits for nothing; survives reconnects."""
        subscription = await self.subscribe(subject)
        [number] = [number for number, other in self._subs.items() if other is subscription]
        self._receivers[b"%d" % number] = receiver
        return subscription

    def arrived(self, subscription: bytes, message: Arrived) -> None:
        """Give a message to whom it is for; one that comes after its subscription has ended is dropped."""
        receiver = self._receivers.get(subscription)
        if receiver is not None:
            receiver(message)

    async def said(self, kind: bytes, rest: bytes) -> None:
        """Heed what the server says that is no message. ProtocolError."""
        match kind.strip():
            case b"PING":
                await self._process_ping()
            case b"PONG":
                await self._process_pong()
            case b"+OK":
                pass
            case b"-ERR":
                await self._process_err(rest.decode(errors="replace").strip().lower())
            case b"INFO":
                try:
                    info = json.loads(rest)
                except ValueError as error:
                    raise ProtocolError from error
                await self._process_info(info)
            case _:
                raise ProtocolError

    async def flush(self, timeout: int = FLUSH_TIMEOUT_S) -> None:  # noqa: ASYNC109  the signature is nats-py's
        """Return when the server has had all that was sent: nats-py's own ping overtakes what waits to be written."""
        self._write()
        task = asyncio.current_task()
        asked = task.cancelling() if task is not None else 0
        await super().flush(timeout)
        if task is not None and task.cancelling() > asked:
            raise asyncio.CancelledError  # nats-py's wait_for loses one that comes with the answer, before Python 3.12

    def _write(self) -> None:
        self._to_be_written = False
        if not self._pending or not self.is_connected:
            return
        try:
            self._line.write(b"".join(self._pending))
        except (OSError, RuntimeError):
            return  # the connection is lost, as its reader is about to see: this is sent on the next one
        self._pending = []
        self._pending_data_size = 0
        self._crowded = self._line.unwritten > self._max_pending_size

    @property
    def _unwritten(self) -> int:
        return self._pending_data_size + (self._line.unwritten if self.is_connected else 0)

    # What nats-py's own methods send, they send by these.

    async def _send_command(self, cmd: bytes, priority: bool = False) -> None:
        self._pending.append(cmd)
        self._pending_data_size += len(cmd)

    async def _flush_pending(self, force_flush: bool = False) -> None:
        self._write()

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        super()._remove_sub(sid, max_msgs)
        self._receivers.pop(b"%d" % sid, None)


def in_words(error: Exception | None) -> str:
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
        return REFUSED
    return text or type(error).__name__


def server_addresses(url: str) -> list[str]:
    """The addresses in a list separated by commas. ValueError when one of them is none."""
    addresses = [part.strip() for part in url.split(",") if part.strip()]
    for address in addresses:
        parts = urlsplit(address)
        if parts.scheme not in ("nats", "tls") or not parts.hostname or parts.port == 0:
            raise ValueError(f"not a NATS server's address: {without_credentials(address)}")
    if not addresses:
        raise ValueError("no address")
    return addresses


def without_credentials(url: str) -> str:
    """The address of a server, or a list of them, as it may be shown: no user, password or token in it."""
    return ",".join(_without_credentials(part.strip()) for part in url.split(","))


def _without_credentials(address: str) -> str:
    scheme, separator, rest = address.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
