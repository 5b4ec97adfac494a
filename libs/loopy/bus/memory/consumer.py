"""A pull consumer in memory: what was delivered and not settled, what comes again and when, and who asks for more."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from nats.js.api import Header

from loopy.bus.memory.stream import Kept, MemoryStream
from loopy.bus.memory.wildcards import matches_any

NANOSECONDS = 1_000_000_000


class Receiver(Protocol):
    """Whose request is answered: a connection."""

    def listens(self, subject: str) -> bool:
        """Whether it still receives what is sent there."""
        ...

    def deliver(self, to: str, subject: str, payload: bytes, headers: dict[str, str], reply: str) -> None:
        """Send it a message over the subscription that has subject `to`."""
        ...


class _PullRequest(msgspec.Struct, eq=False):
    """So many messages are asked for, to be sent to `inbox`."""

    receiver: Receiver
    inbox: str
    missing: int
    expiry: asyncio.TimerHandle | None = None
    heartbeat: asyncio.TimerHandle | None = None

    def end(self) -> None:
        for timer in (self.expiry, self.heartbeat):
            if timer is not None:
                timer.cancel()


class _Body(msgspec.Struct):
    batch: int = 1
    expires: int = 0
    idle_heartbeat: int = 0


class _Nak(msgspec.Struct):
    delay: int = 0


class _Unsettled(msgspec.Struct):
    """A message that was delivered. `timer` is what makes it come again."""

    deliveries: int
    timer: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_nak = msgspec.json.Decoder(_Nak).decode


class MemoryConsumer:
    """One consumer of one stream."""

    def __init__(self, stream: MemoryStream, config: dict[str, Any]) -> None:
        self.config = config
        self.name = str(config["name"])
        self._stream = stream
        self._filters = tuple(config.get("filter_subjects", ()))
        self._waiting = deque(kept.sequence for kept in self._first() if self._wants(kept))
        self._again: deque[int] = deque()
        self._unsettled: dict[int, _Unsettled] = {}
        self._requests: deque[_PullRequest] = deque()
        self._consumer_sequence = 0
        stream.watchers.append(self._on_stored)

    @property
    def pending(self) -> int:
        """How many messages were never delivered."""
        return sum(sequence in self._stream.messages for sequence in self._waiting)

    @property
    def ack_pending(self) -> int:
        """How many were delivered and are not settled."""
        return len(self._unsettled)

    @property
    def ack_floor(self) -> int:
        """The sequence up to which all is settled."""
        open_still = (*self._unsettled, *(s for s in self._waiting if s in self._stream.messages))
        return min(open_still, default=self._stream.last_sequence + 1) - 1

    @property
    def delivered(self) -> int:
        """How many deliveries there were."""
        return self._consumer_sequence

    def ask(self, receiver: Receiver, inbox: str, payload: bytes) -> None:
        """Take a request for messages; it is answered as they come, and by a status when its time is over."""
        body = _decode_body(payload or b"{}")
        request = _PullRequest(receiver, inbox, body.batch)
        if body.expires:
            request.expiry = _later(body.expires / NANOSECONDS, self._expire, request)
        if body.idle_heartbeat:
            self._beat(request, body.idle_heartbeat / NANOSECONDS)
        self._requests.append(request)
        self._deliver()

    def settle(self, sequence: int, answer: bytes) -> None:
        """Do what the answer to a delivery says: `+ACK`, `-NAK` with or without a delay, `+WPI`, `+TERM`."""
        unsettled = self._unsettled.get(sequence)
        if unsettled is None:
            return
        kind, _, body = answer.partition(b" ")
        unsettled.stop()
        if kind == b"-NAK" and body:
            unsettled.timer = _later(_decode_nak(body).delay / NANOSECONDS, self._repeat, sequence)
        elif kind == b"-NAK":
            self._again.append(sequence)
        elif kind == b"+WPI":
            unsettled.timer = self._wait_for_ack(sequence)
        else:
            del self._unsettled[sequence]
        self._deliver()

    def forget(self, after: int) -> None:
        """Lose what was settled behind a sequence, as a server may that was killed: it all comes anew."""
        for unsettled in self._unsettled.values():
            unsettled.stop()
        known = {s for s in (*self._unsettled, *self._waiting) if s <= after}
        self._unsettled.clear()
        self._again.clear()
        later = (
            kept.sequence for kept in self._stream.messages.values() if kept.sequence > after and self._wants(kept)
        )
        self._waiting = deque((*sorted(known), *later))
        self._deliver()

    def end(self) -> None:
        """Be deleted: whoever asked is told so."""
        self._stream.watchers.remove(self._on_stored)
        for unsettled in self._unsettled.values():
            unsettled.stop()
        while self._requests:
            self._answer(self._requests.popleft(), "409", "Consumer Deleted", {})

    def _first(self) -> list[Kept]:
        """The messages that are there when the consumer is made, as its policy says."""
        match self.config.get("deliver_policy"):
            case "last_per_subject":
                return self._stream.last_each(self._filters)
            case "by_start_sequence":
                start = int(self.config["opt_start_seq"])
                return [kept for kept in self._stream.messages.values() if kept.sequence >= start]
            case _:
                return list(self._stream.messages.values())

    def _wants(self, kept: Kept) -> bool:
        return not self._filters or matches_any(self._filters, kept.subject)

    def _on_stored(self, kept: Kept) -> None:
        if kept.sequence >= int(self.config.get("opt_start_seq", 0)) and self._wants(kept):
            self._waiting.append(kept.sequence)
            self._deliver()

    def _deliver(self) -> None:
        """Answer requests while there is something to send, each in turn."""
        while self._requests and (kept := self._next()) is not None:
            request = self._turn()
            if request is None:
                self._give_back(kept.sequence)
                return
            request.missing -= 1
            if request.missing > 0:
                self._requests.append(request)
            else:
                request.end()
            self._send(kept, request)

    def _turn(self) -> _PullRequest | None:
        """The oldest request that somebody still waits for."""
        while self._requests:
            request = self._requests.popleft()
            if request.receiver.listens(request.inbox):
                return request
            request.end()
        return None

    def _next(self) -> Kept | None:
        while self._again:
            sequence = self._again.popleft()
            if sequence in self._unsettled and sequence in self._stream.messages:
                return self._stream.messages[sequence]
            self._unsettled.pop(sequence, None)
        most = int(self.config.get("max_ack_pending", 1000))
        while self._waiting and len(self._unsettled) < most:
            kept = self._stream.messages.get(self._waiting.popleft())
            if kept is not None:
                return kept
        return None

    def _give_back(self, sequence: int) -> None:
        (self._again if sequence in self._unsettled else self._waiting).appendleft(sequence)

    def _send(self, kept: Kept, request: _PullRequest) -> None:
        self._consumer_sequence += 1
        deliveries = 1
        if self.config.get("ack_policy") != "none":
            unsettled = self._unsettled.setdefault(kept.sequence, _Unsettled(0))
            unsettled.deliveries = deliveries = unsettled.deliveries + 1
            unsettled.timer = self._wait_for_ack(kept.sequence)
        place = (deliveries, kept.sequence, self._consumer_sequence, _nanoseconds(kept), len(self._waiting))
        reply = f"$JS.ACK.{self._stream.name}.{self.name}.{'.'.join(map(str, place))}"
        request.receiver.deliver(request.inbox, kept.subject, kept.payload, kept.headers, reply)

    def _wait_for_ack(self, sequence: int) -> asyncio.TimerHandle:
        return _later(self.config["ack_wait"] / NANOSECONDS, self._repeat, sequence)

    def _repeat(self, sequence: int) -> None:
        if sequence in self._unsettled:
            self._again.append(sequence)
            self._deliver()

    def _expire(self, request: _PullRequest) -> None:
        self._requests.remove(request)
        counts = {"Nats-Pending-Messages": str(request.missing), "Nats-Pending-Bytes": "0"}
        self._answer(request, "408", "Request Timeout", counts)

    def _beat(self, request: _PullRequest, every_s: float) -> None:
        """Tell the client, again and again, that its request is not lost."""

        def beat() -> None:
            if request.receiver.listens(request.inbox):
                headers = {"Status": "100", "Nats-Last-Consumer": str(self._consumer_sequence)}
                request.receiver.deliver(request.inbox, request.inbox, b"", headers, "")
                request.heartbeat = _later(every_s, beat)

        request.heartbeat = _later(every_s, beat)

    def _answer(self, request: _PullRequest, status: str, description: str, counts: dict[str, str]) -> None:
        request.end()
        headers = {"Status": status, Header.DESCRIPTION: description, **counts}
        request.receiver.deliver(request.inbox, request.inbox, b"", headers, "")


def _later(delay_s: float, call: Callable[..., None], *arguments: object) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(delay_s, call, *arguments)


def _nanoseconds(kept: Kept) -> int:
    return int(kept.time.timestamp() * 1_000_000) * 1000
