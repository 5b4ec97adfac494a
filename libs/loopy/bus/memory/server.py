"""JetStream in memory: as much of it as the bus uses, with the answers that a nats-server gives.

It is for tests and simulations: nothing outlives it, it knows one copy of each stream, and no time but its clock's and
the event loop's. That it behaves as the real one does is what `tests/contract` is for.
"""

import asyncio
import base64
from collections.abc import Callable
from datetime import UTC
from typing import Any

import msgspec
from nats.js.api import Header

from loopy.bus.memory.consumer import MemoryConsumer, Receiver
from loopy.bus.memory.stream import Kept, MemoryStream, Refused, lifetime_s, scheduled_of, when_due
from loopy.clock import Clock, SystemClock

MAX_PAYLOAD = 8 << 20
MOST_SUBJECTS = 1024
NO_STREAM = Refused(404, 10059, "stream not found")
NO_MESSAGE = Refused(404, 10037, "no message found")
NO_CONSUMER = Refused(404, 10014, "consumer not found")


class Answer(msgspec.Struct, frozen=True):
    """What the server sends back: a message's headers tell where it is stored, a status' headers what is wrong."""

    payload: bytes
    headers: dict[str, str] = {}


class MemoryServer:
    """Streams, their consumers, and who watches what passes. `lag` is how many messages a direct read may miss."""

    def __init__(self, clock: Clock | None = None, max_payload: int = MAX_PAYLOAD) -> None:
        self.clock = clock or SystemClock()
        self.max_payload = max_payload
        self.streams: dict[str, MemoryStream] = {}
        self.consumers: dict[tuple[str, str], MemoryConsumer] = {}
        self.watchers: list[Callable[[str, bytes, dict[str, str]], None]] = []
        self.timers = 0
        self.lag: Callable[[MemoryStream], int] = lambda _: 0

    def receive(
        self, receiver: Receiver, subject: str, payload: bytes, headers: dict[str, str], reply: str
    ) -> list[Answer]:
        """Deal with what a client sent, and give all answers; none when nobody listens there."""
        if subject.startswith("$JS.ACK."):
            self._settle(subject, payload)
            return []
        if subject.startswith("$JS.API.CONSUMER.MSG.NEXT."):
            self._ask(receiver, subject, payload, reply)
            return []
        if subject.startswith("$JS.API.DIRECT.GET."):
            return self._look_up(subject.rpartition(".")[2], msgspec.json.decode(payload))
        if subject.startswith("$JS.API."):
            return [self._api(subject.removeprefix("$JS.API.").split("."), msgspec.json.decode(payload or b"{}"))]
        self._tell(subject, payload, headers)
        return self._publish(subject, payload, headers)

    def _publish(self, subject: str, payload: bytes, headers: dict[str, str]) -> list[Answer]:
        stream = next((stream for stream in self.streams.values() if stream.takes(subject)), None)
        if stream is None:
            return []
        try:
            kept = self._store(stream, subject, payload, headers)
        except Refused as refused:
            return [_error(refused, stream=stream.name, seq=0)]
        return [_json({"stream": stream.name, "seq": kept.sequence})]

    def _store(self, stream: MemoryStream, subject: str, payload: bytes, headers: dict[str, str]) -> Kept:
        kept = stream.store(subject, payload, headers, self.clock.now())
        self._republish(stream, kept)
        scheduled = scheduled_of(headers)
        if scheduled is not None:
            self.timers += 1
            wait_s = (scheduled.at - kept.time).total_seconds()
            asyncio.get_running_loop().call_later(max(0.0, wait_s), self._fire, stream, kept)
        lives_s = lifetime_s(headers)
        if lives_s is not None:
            asyncio.get_running_loop().call_later(lives_s, stream.remove, kept.sequence)
        return kept

    def _fire(self, stream: MemoryStream, scheduled: Kept) -> None:
        """Publish what was scheduled, unless it was replaced; the schedule itself is then gone."""
        self.timers -= 1
        newest = stream.last(scheduled.subject)
        if newest is None or newest.sequence != scheduled.sequence:
            return
        target, headers = when_due(scheduled)
        stream.remove(scheduled.sequence)
        self._store(stream, target, scheduled.payload, headers)

    def _republish(self, stream: MemoryStream, kept: Kept) -> None:
        copied = stream.config.get("republish")
        if copied is None:
            return
        source, target = copied["src"].removesuffix(">"), copied["dest"].removesuffix(">")
        if kept.subject.startswith(source):
            place = {"Nats-Stream": stream.name, "Nats-Subject": kept.subject, "Nats-Sequence": str(kept.sequence)}
            self._tell(target + kept.subject.removeprefix(source), kept.payload, kept.headers | place)

    def _tell(self, subject: str, payload: bytes, headers: dict[str, str]) -> None:
        for watcher in list(self.watchers):
            watcher(subject, payload, headers)

    def _settle(self, subject: str, answer: bytes) -> None:
        _, _, stream, name, _, sequence, *_ = subject.split(".")
        consumer = self.consumers.get((stream, name))
        if consumer is not None:
            consumer.settle(int(sequence), answer)

    def _ask(self, receiver: Receiver, subject: str, payload: bytes, inbox: str) -> None:
        *_, stream, name = subject.split(".")
        consumer = self.consumers.get((stream, name))
        if consumer is None:
            receiver.deliver(inbox, inbox, b"", {"Status": "503"}, "")
        else:
            consumer.ask(receiver, inbox, payload)

    def _look_up(self, name: str, body: dict[str, Any]) -> list[Answer]:
        stream = self.streams.get(name)
        if stream is None:
            return []
        upto = stream.last_sequence - self.lag(stream)
        if "last_by_subj" in body:
            newest = stream.last(body["last_by_subj"], upto)
            return [_stored(stream, newest)] if newest else [_status("404", "Message Not Found")]
        found = stream.last_each(body["multi_last"], upto)
        if not found:
            return [_status("404", "No Results")]
        if len(found) > MOST_SUBJECTS:
            return [_status("413", "Too Many Results")]
        return [*(_stored(stream, kept) for kept in found), _status("204", "EOB", {"Nats-Num-Pending": "0"})]

    def _api(self, call: list[str], body: dict[str, Any]) -> Answer:
        try:
            match call:
                case ["INFO"]:
                    return _json({})
                case ["STREAM", "CREATE" | "UPDATE" as how, name]:
                    return self._configure(name, body, create=how == "CREATE")
                case ["STREAM", "INFO", name]:
                    now = self.clock.now().isoformat()
                    return _json({"config": self._stream(name).config, "state": _state(self._stream(name)), "ts": now})
                case ["STREAM", "PURGE", name]:
                    self._stream(name).purge(body.get("filter", ">"))
                    return _json({"success": True})
                case ["STREAM", "MSG", "GET", name]:
                    return _found(self._stream(name).last(body["last_by_subj"]))
                case ["STREAM", "MSG", "DELETE", name]:
                    self._stream(name).delete(body["seq"])
                    return _json({"success": True})
                case ["CONSUMER", "CREATE", stream, name]:
                    return self._create_consumer(self._stream(stream), name, body["config"])
                case ["CONSUMER", "INFO", stream, name]:
                    return _described(self._consumer(stream, name))
                case ["CONSUMER", "DELETE", stream, name]:
                    self._consumer(stream, name).end()
                    del self.consumers[stream, name]
                    return _json({"success": True})
        except Refused as refused:
            return _error(refused)
        return _error(Refused(400, 10003, f"no such call in memory: {'.'.join(call)}"))

    def _configure(self, name: str, config: dict[str, Any], *, create: bool) -> Answer:
        stream = self.streams.get(name)
        if stream is None:
            if not create:
                raise NO_STREAM
            self.streams[name] = stream = MemoryStream(config)
        elif create and stream.config != config:
            raise Refused(400, 10058, "stream name already in use with a different configuration")
        stream.config = config
        return _json({"config": config})

    def _create_consumer(self, stream: MemoryStream, name: str, config: dict[str, Any]) -> Answer:
        filters = config.get("filter_subjects", [])
        if any(one != other and _overlap(one, other) for one in filters for other in filters):
            raise Refused(400, 10138, "consumer subject filters cannot overlap")
        key = (stream.name, name)
        if key not in self.consumers:
            self.consumers[key] = MemoryConsumer(stream, config)
        return _described(self.consumers[key])

    def _stream(self, name: str) -> MemoryStream:
        if name not in self.streams:
            raise NO_STREAM
        return self.streams[name]

    def _consumer(self, stream: str, name: str) -> MemoryConsumer:
        if (stream, name) not in self.consumers:
            raise NO_CONSUMER
        return self.consumers[stream, name]


def _overlap(one: str, other: str) -> bool:
    """Whether two filters may select the same subject."""
    ours, theirs = one.split("."), other.split(".")
    for mine, its in zip(ours, theirs, strict=False):
        if ">" in (mine, its):
            return True
        if mine != its and "*" not in (mine, its):
            return False
    return len(ours) == len(theirs)


def _stored(stream: MemoryStream, kept: Kept) -> Answer:
    stamp = kept.time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    place = {
        "Nats-Stream": stream.name,
        "Nats-Subject": kept.subject,
        "Nats-Sequence": str(kept.sequence),
        "Nats-Time-Stamp": stamp,
    }
    return Answer(kept.payload, kept.headers | place)


def _found(newest: Kept | None) -> Answer:
    """A message as the stream's leader gives it: as JSON, its payload in base64; headers are left out here."""
    if newest is None:
        raise NO_MESSAGE
    data = base64.b64encode(newest.payload).decode()
    return _json({"message": {"subject": newest.subject, "seq": newest.sequence, "data": data}})


def _status(status: str, description: str, counts: dict[str, str] | None = None) -> Answer:
    return Answer(b"", {"Status": status, Header.DESCRIPTION: description, **(counts or {})})


def _state(stream: MemoryStream) -> dict[str, int]:
    oldest = next(iter(stream.messages), stream.last_sequence + 1)
    return {
        "messages": len(stream.messages),
        "bytes": stream.size,
        "first_seq": oldest,
        "last_seq": stream.last_sequence,
    }


def _described(consumer: MemoryConsumer) -> Answer:
    return _json(
        {
            "config": consumer.config,
            "num_pending": consumer.pending,
            "num_ack_pending": consumer.ack_pending,
            "delivered": {"consumer_seq": consumer.delivered},
            "ack_floor": {"stream_seq": consumer.ack_floor},
        }
    )


def _error(refused: Refused, **more: Any) -> Answer:
    error = {"code": refused.status, "err_code": refused.code, "description": refused.description}
    return _json({"error": error, **more})


def _json(body: dict[str, Any]) -> Answer:
    return Answer(msgspec.json.encode(body))
