"""A stream in memory: what is stored, and the conditions on which something is."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from loopy.bus.memory.wildcards import literals, matches, matches_any

EXPECTED_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
EXPECTED_SCOPE = "Nats-Expected-Last-Subject-Sequence-Subject"
SCHEDULE, TARGET = "Nats-Schedule", "Nats-Schedule-Target"
TTL = "Nats-TTL"


class Refused(Exception):
    """What the server answers instead of doing it: a status like HTTP's, JetStream's number, and words."""

    def __init__(self, status: int, code: int, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.code = code
        self.description = description


class Kept(msgspec.Struct, frozen=True):
    """A stored message."""

    sequence: int
    subject: str
    payload: bytes
    headers: dict[str, str]
    time: datetime


class Scheduled(msgspec.Struct, frozen=True):
    """What a stored message asks the server to publish, and when."""

    at: datetime
    target: str


class MemoryStream:
    """One stream: messages by sequence, in order.

    `watchers` are told of each that is stored, `mourners` of each that somebody has deleted.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.messages: dict[int, Kept] = {}
        self.last_sequence = 0
        self.watchers: list[Callable[[Kept], None]] = []
        self.mourners: list[Callable[[Kept], None]] = []
        self._sequences: dict[str, list[int]] = {}
        self._with_token: dict[tuple[int, str], set[str]] = {}  # the subjects that have a token in a place
        self._bytes = 0

    @property
    def name(self) -> str:
        """Its name on the server."""
        return str(self.config["name"])

    def takes(self, subject: str) -> bool:
        """Whether messages of this subject are stored here."""
        return matches_any(tuple(self.config["subjects"]), subject)

    def store(self, subject: str, payload: bytes, headers: Mapping[str, str], now: datetime) -> Kept:
        """Store a message if what it expects holds and there is room for it. Refused."""
        self._check_schedule(headers)
        self._check_ttl(headers)
        self._check_expectation(subject, headers)
        self._check_room(subject, payload)
        self.last_sequence += 1
        kept = Kept(self.last_sequence, subject, payload, dict(headers), now)
        self.messages[kept.sequence] = kept
        self._list(kept)
        self._bytes += len(payload)
        self._keep_newest(subject)
        for watcher in list(self.watchers):
            watcher(kept)
        return kept

    @property
    def size(self) -> int:
        """How many bytes its messages take."""
        return self._bytes

    def delete(self, sequence: int) -> None:
        """Forget a message on request. Refused when it is not there (any more)."""
        if sequence > self.last_sequence or sequence < 1:
            raise Refused(500, 10057, "no message found")
        if sequence not in self.messages:
            raise Refused(400, 10043, f"sequence {sequence} not found")
        kept = self.messages[sequence]
        self.remove(sequence)
        for mourner in self.mourners:
            mourner(kept)

    def remove(self, sequence: int) -> None:
        """Forget a message; its sequence is not used again."""
        kept = self.messages.pop(sequence, None)
        if kept is None:
            return
        self._bytes -= len(kept.payload)
        sequences = self._sequences[kept.subject]
        sequences.remove(sequence)
        if not sequences:
            del self._sequences[kept.subject]
            for place in literals(kept.subject):
                self._with_token[place].discard(kept.subject)

    def purge(self, wanted: str = ">") -> None:
        """Forget every message that a filter selects."""
        for sequence, kept in list(self.messages.items()):
            if matches(wanted, kept.subject):
                self.remove(sequence)

    def last_each(self, filters: Iterable[str], upto: int | None = None) -> list[Kept]:
        """The newest message of every subject that a filter selects, by sequence.

        `upto` leaves out what was stored after this sequence, as a replica does that lags behind.
        """
        wanted = tuple(filters)
        newest = (self._newest(subject, upto) for subject in self._selected(wanted))
        return sorted((kept for kept in newest if kept is not None), key=lambda kept: kept.sequence)

    def last(self, wanted: str, upto: int | None = None) -> Kept | None:
        """The newest message of a subject or filter."""
        found = self.last_each([wanted], upto)
        return found[-1] if found else None

    def _list(self, kept: Kept) -> None:
        """Have a message found by its subject, and that by each of its tokens."""
        if kept.subject not in self._sequences:
            self._sequences[kept.subject] = []
            for place in literals(kept.subject):
                self._with_token.setdefault(place, set()).add(kept.subject)
        self._sequences[kept.subject].append(kept.sequence)

    def _selected(self, wanted: tuple[str, ...]) -> set[str]:
        return {subject for one in wanted for subject in self._candidates(one) if matches(one, subject)}

    def _candidates(self, wanted: str) -> Iterable[str]:
        """Few subjects, among which are all that a filter selects."""
        if wanted in self._sequences:
            return (wanted,)
        some = (self._with_token.get(place, ()) for place in literals(wanted))
        return min(some, key=len, default=self._sequences.keys())

    def _newest(self, subject: str, upto: int | None) -> Kept | None:
        sequences = self._sequences[subject]
        older = len(sequences) if upto is None else bisect_right(sequences, upto)
        return self.messages[sequences[older - 1]] if older else None

    def _is_full(self, subject: str) -> bool:
        return 0 < int(self.config.get("max_msgs_per_subject", -1)) <= len(self._sequences.get(subject, ()))

    def _keep_newest(self, subject: str) -> None:
        """Forget the oldest messages of a subject where it has more than it may."""
        most, sequences = int(self.config.get("max_msgs_per_subject", -1)), self._sequences[subject]
        while 0 < most < len(sequences):
            self.remove(sequences[0])

    def _check_expectation(self, subject: str, headers: Mapping[str, str]) -> None:
        expected = headers.get(EXPECTED_SEQUENCE)
        if expected is None:
            return
        newest = self.last(headers.get(EXPECTED_SCOPE, subject))
        stands = 0 if newest is None else newest.sequence
        if int(expected) != stands:
            raise Refused(400, 10071, f"wrong last sequence: {stands}")

    def _check_room(self, subject: str, payload: bytes) -> None:
        most_messages, most_bytes = self.config.get("max_msgs", -1), self.config.get("max_bytes", -1)
        if self.config.get("discard") != "new":
            return
        if self.config.get("discard_new_per_subject") and self._is_full(subject):
            raise Refused(503, 10077, "maximum messages per subject exceeded")
        if 0 <= most_messages <= len(self.messages):
            raise Refused(503, 10077, "maximum messages exceeded")
        if 0 <= most_bytes < self._bytes + len(payload):
            raise Refused(503, 10077, "maximum bytes exceeded")

    def _check_schedule(self, headers: Mapping[str, str]) -> None:
        if SCHEDULE not in headers:
            return
        if not self.config.get("allow_msg_schedules"):
            raise Refused(400, 10188, "message schedules is disabled")
        scheduled_of(headers)

    def _check_ttl(self, headers: Mapping[str, str]) -> None:
        if lifetime_s(headers) is not None and not self.config.get("allow_msg_ttl"):
            raise Refused(400, 10166, "per-message TTL is disabled")


def lifetime_s(headers: Mapping[str, str]) -> int | None:
    """After how many seconds a message is forgotten; None when it is kept. Refused when that is no whole number."""
    if TTL not in headers:
        return None
    if not headers[TTL].isdecimal() or int(headers[TTL]) < 1:
        raise Refused(400, 10165, "invalid per-message TTL")
    return int(headers[TTL])


def scheduled_of(headers: Mapping[str, str]) -> Scheduled | None:
    """What a message's headers ask to be published later, if anything. Refused when they make no sense.

    Of JetStream's schedules only `@at` is known here: it is the only one that Loopy uses.
    """
    if SCHEDULE not in headers:
        return None
    kind, _, instant = headers[SCHEDULE].partition(" ")
    try:
        at = msgspec.convert(instant if kind == "@at" else None, datetime, strict=False)
        return Scheduled(at, headers[TARGET])
    except (msgspec.ValidationError, KeyError):
        raise Refused(400, 10189, "message schedules pattern is invalid") from None


def when_due(kept: Kept) -> tuple[str, dict[str, str]]:
    """The subject and the headers of what is published when a scheduled message is due."""
    own = {SCHEDULE, TARGET, EXPECTED_SEQUENCE, EXPECTED_SCOPE}
    headers = {name: value for name, value in kept.headers.items() if name not in own}
    headers |= {"Nats-Scheduler": kept.subject, "Nats-Schedule-Next": "purge"}
    return kept.headers[TARGET], headers
