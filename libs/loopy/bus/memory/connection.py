"""A connection to a server in memory, with all that can happen to what is under way between the two."""

import asyncio
import itertools
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any, Protocol

import msgspec

from loopy.bus.api import check_reply
from loopy.bus.connection import REQUEST_TIMEOUT_S
from loopy.bus.errors import BusError, Unavailable
from loopy.bus.memory.server import Answer, MemoryServer
from loopy.bus.memory.wildcards import matches
from loopy.bus.wire import Arrived

INBOX = "_INBOX_"
_SENDABLE = re.compile(r"[^\s]+")


class Line(Protocol):
    """What lies between a client and the server: the seconds that something takes, or None when it is lost."""

    def outward(self, subject: str) -> float | None:
        """On the way to the server."""
        ...

    def homeward(self, subject: str) -> float | None:
        """On the way back: an answer to a request on `subject`, or a message for that subscription."""
        ...


class PerfectLine:
    """Nothing takes time, nothing is lost."""

    def outward(self, subject: str) -> float | None:
        """At once."""
        return 0.0

    def homeward(self, subject: str) -> float | None:
        """At once."""
        return 0.0


class MemorySubscription:
    """What one subscription receives, one message after another, in the order in which they were sent."""

    def __init__(self, subject: str, receive: Callable[[Arrived], None], end: Callable[[], None]) -> None:
        self.subject = subject
        self._receive = receive
        self._end = end
        self._under_way: deque[Arrived] = deque()
        self._quiet = asyncio.Event()
        self._quiet.set()

    def send(self, message: Arrived, takes_s: float) -> None:
        """Have a message arrive after so long, or when all before it have arrived."""
        self._quiet.clear()
        self._under_way.append(message)
        _after(takes_s, self._arrive)

    def break_off(self) -> None:
        """Receive nothing more, nor what is under way."""
        self._end()
        self._under_way.clear()
        self._quiet.set()

    async def unsubscribe(self) -> None:
        """Receive nothing more."""
        self.break_off()

    async def drain(self) -> None:
        """Receive nothing more than what the server has sent already."""
        self._end()
        await self._quiet.wait()

    def _arrive(self) -> None:
        if not self._under_way:
            return  # it was broken off meanwhile
        self._receive(self._under_way.popleft())
        if not self._under_way:
            self._quiet.set()


class MemoryConnection:
    """A `Transport` to a server in memory.

    What is sent may be lost or late, as the line says; a request without an answer is given up after as long as a real
    one, and may reach the server even later.
    """

    def __init__(self, server: MemoryServer, name: str, line: Line | None = None) -> None:
        self.generation = 0
        self.name = name
        self._server = server
        self._line = line or PerfectLine()
        self._closed = asyncio.Event()
        self._inboxes = itertools.count(1)
        self._subscriptions: dict[str, MemorySubscription] = {}

    @property
    def connected(self) -> bool:
        """Whether it is open."""
        return not self._closed.is_set()

    @property
    def max_payload(self) -> int:
        """The most bytes of headers and payload in one message."""
        return self._server.max_payload

    def check_open(self) -> None:
        """BusError when the connection is closed."""
        if self._closed.is_set():
            raise BusError(f"the connection {self.name!r} is closed")

    async def closed(self) -> None:
        """Return when the connection is closed."""
        await self._closed.wait()

    async def close(self) -> None:
        """Close for good."""
        self.abandon()

    def abandon(self) -> None:
        """Be gone from one moment to the next, as a process that is killed; what it sent before may still arrive."""
        self._closed.set()
        for subscription in list(self._subscriptions.values()):
            subscription.break_off()

    async def flush(self) -> None:
        """Return when something that is sent now would have reached the server."""
        takes_s = self._line.outward("") if self.connected else None
        if takes_s is not None:
            arrived = asyncio.Event()
            _after(takes_s, arrived.set)
            await arrived.wait()

    async def ready(self) -> None:
        """BusError when the connection is closed."""
        self.check_open()

    async def request(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> bytes:
        """One request with one answer. Unavailable, BusError."""
        [answer] = await self.converse(subject, payload, lambda _: True, headers)
        return answer.data

    async def converse(
        self, subject: str, payload: bytes, ended: Callable[[Arrived], bool], headers: dict[str, str] | None = None
    ) -> list[Arrived]:
        """One request and all its answers. Unavailable, BusError."""
        self.check_open()
        if not _SENDABLE.fullmatch(subject):
            raise BusError(f"{subject!r} cannot be sent to: bad subject")
        answered: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self._carry(subject, payload, headers or {}, "", answered)
        answers = await answered
        if not answers:
            raise Unavailable(f"nobody listens on {subject}")
        return [Arrived.of(subject, "", answer.payload, answer.headers) for answer in answers]

    async def unanswered(self, since: float) -> None:
        """Nothing: a server in memory has no other beside it."""

    async def api(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        """One call of the JetStream API. ApiRefused, Unavailable."""
        reply = await self.request(f"$JS.API.{call}", msgspec.json.encode(body))
        check_reply(reply, call)
        answer: dict[str, Any] = msgspec.json.decode(reply)
        return answer

    def send(self, subject: str, payload: bytes, reply: str = "") -> None:
        """Publish without an answer; nothing when the connection is closed."""
        if self.connected:
            self._carry(subject, payload, {}, reply, None)

    def new_inbox(self) -> str:
        """A subject of this connection's own."""
        return f"{INBOX}{self.name}.{next(self._inboxes)}"

    async def subscribe(self, subject: str, receive: Callable[[Arrived], None]) -> MemorySubscription:
        """Have `receive` called with every message of a subject."""
        self.check_open()
        key = f"{subject} {next(self._inboxes)}"

        def end() -> None:
            if self._subscriptions.pop(key, None) is not None and watches:
                self._server.watchers.remove(watch)

        def watch(published: str, payload: bytes, headers: dict[str, str]) -> None:
            if matches(subject, published):
                self._send(subscription, published, payload, headers, "")

        watches = not subject.startswith(INBOX)
        subscription = self._subscriptions[key] = MemorySubscription(subject, receive, end)
        if watches:
            self._server.watchers.append(watch)
        return subscription

    async def messages(self, subject: str) -> AsyncGenerator[Arrived]:
        """Every message of a subject from now on; ends when the connection is closed."""
        received: asyncio.Queue[Arrived] = asyncio.Queue()
        subscription = await self.subscribe(subject, received.put_nowait)
        closed = asyncio.ensure_future(self._closed.wait())
        try:
            while True:
                following = asyncio.ensure_future(received.get())
                await asyncio.wait((following, closed), return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    following.cancel()
                    return
                yield following.result()
        finally:
            closed.cancel()
            await subscription.unsubscribe()

    def listens(self, subject: str) -> bool:
        """Whether something is subscribed to a subject."""
        return any(matches(other.subject, subject) for other in self._subscriptions.values())

    def deliver(self, to: str, subject: str, payload: bytes, headers: dict[str, str], reply: str) -> None:
        """Send a message to whoever is subscribed to `to`, unless it is lost on the way."""
        for subscription in list(self._subscriptions.values()):
            if matches(subscription.subject, to):
                self._send(subscription, subject, payload, headers, reply)

    def _send(
        self, subscription: MemorySubscription, subject: str, payload: bytes, headers: dict[str, str], reply: str
    ) -> None:
        takes_s = self._line.homeward(subscription.subject)
        if takes_s is not None:
            subscription.send(Arrived.of(subject, reply, payload, headers), takes_s)

    def _carry(
        self,
        subject: str,
        payload: bytes,
        headers: dict[str, str],
        reply: str,
        answered: "asyncio.Future[list[Answer]] | None",
    ) -> None:
        """Take something to the server, and its answers back; whoever waits for one does so only for so long."""

        def arrive() -> None:
            answers = self._server.receive(self, subject, payload, headers, reply)
            if answered is not None and patience_s > 0:
                takes_back_s = self._line.homeward(subject)
                if takes_back_s is not None and takes_back_s < patience_s:
                    _after(takes_back_s, _settle, answered, answers)
                else:
                    _after(patience_s, _give_up, answered, subject)

        takes_s = self._line.outward(subject)
        patience_s = REQUEST_TIMEOUT_S - (REQUEST_TIMEOUT_S if takes_s is None else takes_s)
        if answered is not None and patience_s <= 0:
            _after(REQUEST_TIMEOUT_S, _give_up, answered, subject)
        if takes_s is not None:
            _after(takes_s, arrive)


def _settle(answered: "asyncio.Future[list[Answer]]", answers: list[Answer]) -> None:
    if not answered.done():
        answered.set_result(answers)


def _give_up(answered: "asyncio.Future[list[Answer]]", subject: str) -> None:
    if not answered.done():
        answered.set_exception(Unavailable(f"nothing answers on {subject}"))


def _after(delay_s: float, call: Callable[..., None], *arguments: object) -> None:
    """Call later; what is to be called at once keeps its order, which timers for the same instant do not."""
    loop = asyncio.get_running_loop()
    if delay_s > 0:
        loop.call_later(delay_s, call, *arguments)
    else:
        loop.call_soon(call, *arguments)
