"""Archives: all facts of a run that ended, in one message, from which it is shown when its own were deleted.

The payload is JSON lines: a head, then each fact with its subject, sequence, time, headers and payload. One that does
not fit into a message is compressed; where that is not enough, the largest payloads are left out, and their sizes stay.
"""

import gzip
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from loopy.bus.client import Bus
from loopy.bus.messages import Message, Outgoing
from loopy.bus.streams import ARCHIVES, RUNS
from loopy.bus.subjects import Subjects
from loopy.bus.undecodable import Undecodable
from loopy.runs.records import Instant

VERSION = 1
ENCODING = "Content-Encoding"
# What the server needs of a message besides the payload: its subject and headers.
MARGIN_BYTES = 4096
ARCHIVES_A_READ = 20
# More than so many times what fits is not even tried to be compressed: it would take seconds.
MOST_COMPRESSED = 4
_SERVERS_OWN = "Nats-Expected-"


class Archive(msgspec.Struct, frozen=True):
    """An archived run: the sequence of its end, its facts as they were stored, when it was archived.

    `left_out` counts the payloads that were too large; of those facts nothing but their place is known.
    """

    run: str
    end: int
    at: Instant
    facts: tuple[Message, ...]
    left_out: int = 0

    def holds(self, message: Message) -> bool:
        """Whether a stored message is one of its facts."""
        return any(fact.sequence == message.sequence and fact.subject == message.subject for fact in self.facts)


class _Head(msgspec.Struct, frozen=True):
    """The first line. `end` is the sequence of the run's end."""

    archive: int
    run: str
    end: int


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A fact: `payload` is its JSON as it stands, `base64` what is none.

    `left_out` are the bytes of one that has neither, since it was too large.
    """

    subject: str
    sequence: int
    time: Instant
    headers: dict[str, str] = {}
    payload: msgspec.Raw = msgspec.Raw(b"")
    base64: bytes = b""
    left_out: int = 0


def archive_message(subjects: Subjects, run: str, end: int, facts: Iterable[Message], max_payload: int) -> Outgoing:
    """The archive of a run, to be published once; `max_payload` is what the server takes in one message."""
    head, lines, room = _Head(VERSION, run, end), [_line(fact) for fact in facts], max_payload - MARGIN_BYTES
    payload = _encode_lines([head, *lines])
    if len(payload) <= room:
        return Outgoing(subjects.archive(run), payload)
    while sum(map(_size, lines)) > MOST_COMPRESSED * room and _leave_out_largest(lines):
        pass
    while len(payload := gzip.compress(_encode_lines([head, *lines]), mtime=0)) > room and _leave_out_largest(lines):
        pass
    return Outgoing(subjects.archive(run), payload, {ENCODING: "gzip"})


def read_archive(message: Message) -> Archive:
    """The archive of a message. Undecodable."""
    try:
        payload = gzip.decompress(message.payload) if message.headers.get(ENCODING) == "gzip" else message.payload
        first, _, rest = payload.partition(b"\n")
        head, lines = _decode_head(first), _decode_lines(rest)
    except (msgspec.MsgspecError, ValueError, OSError, EOFError, RecursionError) as error:
        raise Undecodable("bad_archive", str(error)) from error
    if head.archive != VERSION or head.run != message.subject.rpartition(".")[2]:
        raise Undecodable("bad_archive", "it is another version's, or another run's")
    facts = tuple(_fact(line) for line in lines)
    return Archive(head.run, head.end, message.time, facts, sum(line.left_out > 0 for line in lines))


async def find_archive(bus: Bus, run: str) -> Archive | None:
    """The archive of a run; None when there is none, or none that can be read."""
    return (await find_archives(bus, [run])).get(run)


async def find_archives(bus: Bus, runs: Sequence[str]) -> dict[str, Archive]:
    """The archives of those of these runs that have one, by run."""
    found: dict[str, Archive] = {}
    for first in range(0, len(runs), ARCHIVES_A_READ):
        subjects = [bus.subjects.archive(run) for run in runs[first : first + ARCHIVES_A_READ]]
        for message in await bus.last_each(ARCHIVES, subjects):
            try:
                archive = read_archive(message)
            except Undecodable:
                continue
            found[archive.run] = archive
    return found


async def newest_end(bus: Bus) -> int:
    """The sequence of the end of the run that was archived last; 0 when none was.

    Runs are archived in the order of their ends, each after the one before it was deleted.
    """
    newest = await bus.last(ARCHIVES, bus.subjects.archive("*"))
    try:
        return read_archive(newest).end if newest is not None else 0
    except Undecodable:
        return 0


def _line(fact: Message) -> _Line:
    headers = {name: value for name, value in fact.headers.items() if not name.startswith(_SERVERS_OWN)}
    line = _Line(fact.subject, fact.sequence, fact.time, headers)
    if _fits_a_line(fact.payload):
        return msgspec.structs.replace(line, payload=msgspec.Raw(fact.payload))
    return msgspec.structs.replace(line, base64=fact.payload)


def _fits_a_line(payload: bytes) -> bool:
    """Whether it is JSON that comes out of a line as it goes in, byte for byte."""
    try:
        _decode_any(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return b"\n" not in payload and payload == payload.strip()


def _fact(line: _Line) -> Message:
    payload = b"" if line.left_out else line.base64 or bytes(line.payload)
    return Message(RUNS.name, line.subject, payload, line.headers, line.sequence, line.time)


def _leave_out_largest(lines: list[_Line]) -> bool:
    """Leave one more payload out; whether there was one."""
    sizes = [_size(line) for line in lines]
    largest = max(range(len(lines)), key=sizes.__getitem__, default=None)
    if largest is None or sizes[largest] == 0:
        return False
    line = lines[largest]
    lines[largest] = _Line(line.subject, line.sequence, line.time, line.headers, left_out=sizes[largest])
    return True


def _size(line: _Line) -> int:
    return len(bytes(line.payload)) + len(line.base64)


_encode_lines = msgspec.json.Encoder().encode_lines
_decode_any = msgspec.json.Decoder(Any).decode
_decode_head = msgspec.json.Decoder(_Head).decode
_decode_lines = msgspec.json.Decoder(_Line).decode_lines
