"""A standing request for messages of a consumer, renewed so that the consumer is never left waiting for us."""

import asyncio
from collections.abc import Callable

import msgspec

from loopy.bus.subscriptions import unsubscribe
from loopy.bus.transport import Subscription, Transport
from loopy.bus.wire import DESCRIPTION, STATUS, Arrived

EXPIRES_S = 5
HEARTBEAT_S = 1
MISSED_HEARTBEATS = 3
LARGEST_BATCH = 256
SIGNS_OF_LIFE = ("100", "408")
ACK_PREFIX = "$JS.ACK."
LAST_DELIVERED = "Nats-Last-Consumer"


class _Request(msgspec.Struct):
    batch: int
    expires: int = EXPIRES_S * 1_000_000_000
    idle_heartbeat: int = HEARTBEAT_S * 1_000_000_000


class Pull:
    """Keeps as many messages asked for as its owner has room for.

    A request is answered by messages and, when the server gives it up, by a status; both can be lost with the
    connection, so after a reconnect or three missed heartbeats all requests are taken for lost and made anew.
    `refusal` is the last status that was not a time-out: the consumer was deleted, or there is none. `delivered` is how
    many messages the server says that it has sent so far: one may be lost on its way though the connection is not.
    """

    def __init__(self, connection: Transport, stream: str, consumer: str, receive: Callable[[Arrived], None]) -> None:
        self.refusal = ""
        self.delivered = 0
        self._connection = connection
        self._api = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._receive = receive
        self._inbox = connection.new_inbox()
        self._generation = connection.generation
        self._subscription: Subscription | None = None
        self._asked = 0
        self._number = 0
        self._oldest = 1
        self._heard = 0.0
        self._refused_at: float | None = None
        self._room: Callable[[], int] = lambda: 0

    async def start(self, room: Callable[[], int]) -> None:
        """Begin to ask for as many messages as `room()` says fit at any time. BusError."""
        self._room = room
        self._subscription = await self._connection.subscribe(f"{self._inbox}.*", self._on_message)
        self.top_up()

    def top_up(self) -> None:
        """Ask for more when half of the room is free, or when nothing is asked for."""
        room = min(self._room(), LARGEST_BATCH)
        missing = room - self._asked
        if missing <= 0 or (self._asked and missing * 2 < room) or not self._connection.connected:
            return
        if not self._asked:
            self._heard = _now()
        self._asked += missing
        self._number += 1
        self._connection.send(self._api, msgspec.json.encode(_Request(missing)), f"{self._inbox}.{self._number}")

    @property
    def interrupted(self) -> bool:
        """Whether requests were lost, and messages with them, since the last `renew`."""
        silence = _now() - self._heard if self._asked else 0.0
        return self._generation != self._connection.generation or silence > MISSED_HEARTBEATS * HEARTBEAT_S

    @property
    def is_heard(self) -> bool:
        """Whether the server was heard of a moment ago, and is asked for what comes next."""
        return bool(self._asked) and self._connection.connected and not self.interrupted

    @property
    def refused_s(self) -> float:
        """For how many seconds every request has been refused; 0 while the consumer gives signs of life."""
        return 0.0 if self._refused_at is None else _now() - self._refused_at

    async def renew(self) -> None:
        """Take requests that were lost for lost, and ask again; to be called a few times a second."""
        if self.interrupted:
            if self._generation == self._connection.generation:
                await self._connection.unanswered(self._heard)
            self._generation = self._connection.generation
            self._forget()
        self.top_up()

    async def stop(self) -> None:
        """Ask for nothing more; what the server had sent is still received before this returns."""
        self._room = lambda: 0
        if self._subscription is not None:
            await unsubscribe(self._subscription, drain=True)

    def _forget(self) -> None:
        self._asked = 0
        self._oldest = self._number + 1

    def _on_message(self, message: Arrived) -> None:
        self._heard = _now()
        if message.reply.startswith(ACK_PREFIX):
            self._asked = max(0, self._asked - 1)
            self._refused_at = None
            self._receive(message)
        elif message.subject.startswith(self._inbox):
            self._on_status(message)

    def _on_status(self, message: Arrived) -> None:
        headers = message.headers
        status = headers.get(STATUS, "")
        number = message.subject.rpartition(".")[2]
        if status in SIGNS_OF_LIFE:
            self._refused_at = None
        delivered = headers.get(LAST_DELIVERED, "")
        if delivered.isdecimal():
            self.delivered = int(delivered)
        if status == "100" or not number.isdecimal() or int(number) < self._oldest:
            return
        unserved = headers.get("Nats-Pending-Messages", "")
        if unserved.isdecimal():
            self._asked = max(0, self._asked - int(unserved))
        else:
            self._forget()
        if status == "408":
            self.top_up()
        else:
            self._refused_at = self._refused_at or _now()
            description = headers.get(DESCRIPTION, "")
            self.refusal = f"{status} {description}".strip()


def _now() -> float:
    return asyncio.get_running_loop().time()
