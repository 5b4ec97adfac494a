"""What `loopy tap` selects and how it shows a message. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from loopy.bus.cloudevents import read_event
from loopy.bus.codec import read_record
from loopy.bus.messages import Message
from loopy.bus.streams import BLOBS, EVENTS, RUNS, SECRET, STREAMS, Stream
from loopy.bus.subjects import Subjects
from loopy.bus.undecodable import Undecodable
from loopy.cli.exits import CommandError
from loopy.cli.fact_lines import source_words
from loopy.cli.screen import Line, Piece, clock_time, line, short, shorten, values
from loopy.runs.records import EventRouted, Record

WIDEST = 300
KIND_WIDTH = 18
PREFIXES = {prefix: stream for stream in STREAMS for prefix in stream.prefixes}


class Wanted(msgspec.Struct, frozen=True):
    """What is to be read of one stream."""

    stream: Stream
    filters: tuple[str, ...]


def wanted_by(pattern: str | None, subjects: Subjects) -> list[Wanted]:
    """What a pattern selects: an event type, or a subject below the namespace; None: all events and facts.

    `>` is everything but chunks of large values: those are shown whole, with their messages.
    """
    if pattern is None:
        return [Wanted(EVENTS, (subjects.under("evt", ">"),)), Wanted(RUNS, (subjects.under("run", ">"),))]
    tokens = pattern.split(".")
    if any(not token or any(char.isspace() or not char.isprintable() for char in token) for token in tokens):
        raise CommandError(f"`{pattern}` is no pattern", "write an event type, or a subject such as 'run.end.>'")
    if ">" in tokens[:-1]:
        raise CommandError(f"`{pattern}` is no pattern: > stands for all that follows, so only at the end")
    if tokens[0] in SECRET:
        raise CommandError(f"`{pattern}` is not shown: services keep secrets there")
    if pattern == ">":
        return [Wanted(stream, tuple(_shown(stream, subjects))) for stream in STREAMS if stream is not BLOBS]
    stream = PREFIXES.get(tokens[0]) or PREFIXES.get(".".join(tokens[:2]))
    if stream is None:
        return [
            Wanted(
                EVENTS, (subjects.under("evt", *tokens) if tokens[-1] == ">" else subjects.under("evt", *tokens, ">"),)
            )
        ]
    return [Wanted(stream, (subjects.under(*tokens, ">") if len(tokens) == 1 else subjects.under(*tokens),))]


def _shown(stream: Stream, subjects: Subjects) -> Iterator[str]:
    return (subjects.under(prefix, ">") for prefix in stream.prefixes if prefix not in SECRET)


def record_of(message: Message) -> dict[str, Any]:
    """A message for programs: `data` is the payload as JSON, or as text where it is none."""
    return {
        "subject": message.subject,
        "stream": message.stream,
        "sequence": message.sequence,
        "time": message.time,
        "headers": message.headers,
        "data": _decoded(message.payload),
    }


def shown(message: Message, subjects: Subjects) -> Line:
    """A message on one line: when, what kind, and what it says."""
    kind = message.subject.removeprefix(subjects.under("")).partition(".")[0]
    try:
        match kind:
            case "evt":
                return _event(message, subjects)
            case "run":
                return _fact(message)
            case _:
                return _bare(message, subjects)
    except Undecodable as error:
        return (*_bare(message, subjects), Piece(f"  ({error})", "bad"))


def _event(message: Message, subjects: Subjects) -> Line:
    event = read_event(subjects, message)
    about = f"  {short(event.id)}  {source_words(event)}  "
    return line(*_begin(message, event.type, "name"), Piece(about, "dim"), shorten(values(event.data), WIDEST))


def _fact(message: Message) -> Line:
    record = read_record(message)
    return line(*_begin(message, type(record).__name__, "busy"), *_about(record))


def _about(record: Record) -> Iterator[Piece]:
    if isinstance(record, EventRouted):
        yield Piece(f"  {short(record.event)}  ", "dim")
        yield Piece(f"{record.type} → {', '.join(run.workflow for run in record.runs) or 'nothing'}")
        return
    step = getattr(record, "step", None)
    yield Piece(f"  {short(record.run)}  ", "dim")
    yield Piece(record.workflow + (f"/{step}" if step else ""))
    told = {
        name: value
        for name in ("outcome", "attempt", "output", "reason", "detail")
        if (value := getattr(record, name, None))
    }
    yield Piece(f"  {shorten(values(told), WIDEST)}", "dim")


def _bare(message: Message, subjects: Subjects) -> Line:
    subject = message.subject.removeprefix(subjects.under(""))
    kind, _, rest = subject.partition(".")
    return line(*_begin(message, kind, "name"), f"  {rest}  ", Piece(shorten(_text(message.payload), WIDEST), "dim"))


def _begin(message: Message, kind: str, style: str) -> tuple[Piece, Piece]:
    return Piece(f"{clock_time(message.time)}  ", "dim"), Piece(f"{kind:<{KIND_WIDTH}}", style)


def _decoded(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _text(payload)


def _text(payload: bytes) -> str:
    return payload.decode(errors="backslashreplace")
