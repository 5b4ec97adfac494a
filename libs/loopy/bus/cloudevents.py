"""Events on the wire: CloudEvents 1.0 in binary mode, attributes as headers `ce-…` and the data as JSON payload.

A stranger may leave out every header: type and id then come from the subject and the time from the stream. What is
claimed in a header must be right, or the event is Undecodable.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import msgspec

from loopy.bus.messages import Message, Outgoing
from loopy.bus.subjects import Subjects, token, untoken
from loopy.bus.undecodable import Undecodable, decoder
from loopy.runs.records import Cause, Event

MOST_HOPS = 1_000_000
# RFC 3986's reserved and unreserved characters but %: all that CloudEvents lets stand unescaped, quotes excepted.
_PLAIN = "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
_REPLAY = ("ce-replayof", "ce-replayedby", "ce-replayedwhy")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_decode_data: Callable[[bytes], dict[str, Any]] = decoder(dict[str, Any], "bad_payload")


def event_message(subjects: Subjects, event: Event) -> Outgoing:
    """The event as it is published. UnicodeEncodeError where a text holds half a surrogate pair."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": escape(event.id),
        "ce-type": escape(event.type),
        "ce-source": escape(event.source),
        "ce-time": event.time.isoformat(),
        "ce-datacontenttype": "application/json",
        "ce-cascade": escape(event.cascade),
        "ce-hops": str(event.hops),
    }
    if event.cause is not None:
        headers["ce-causerun"] = escape(event.cause.run)
        headers["ce-causestep"] = escape(event.cause.step)
    for name, text in zip(_REPLAY, (event.replay_of, event.replayed_by, event.replayed_why), strict=True):
        if text is not None:
            headers[name] = escape(text)
    if event.traceparent is not None:
        headers["traceparent"] = escape(event.traceparent)
    return Outgoing(subjects.event(event.type, event.id), msgspec.json.encode(event.data), headers)


def read_event(subjects: Subjects, message: Message) -> Event:
    """The event of a message on an event's subject. Undecodable, whatever the bytes and headers are."""
    try:
        event_type, last_token = subjects.event_of(message.subject)
    except ValueError as error:
        raise Undecodable("bad_subject", str(error)) from error
    headers = message.headers
    _check_form(headers, event_type)
    event_id = _id(headers, last_token)
    cascade = _text(headers, "ce-cascade") or event_id
    hops = _hops(headers)
    replay_of, replayed_by, replayed_why = (_text(headers, name) for name in _REPLAY)
    if cascade != event_id and hops < 1:
        raise _bad("ce-hops", "must be at least 1 in an event whose ce-cascade names another")
    return Event(
        id=event_id,
        type=event_type,
        source=_text(headers, "ce-source") or message.subject,
        time=_time(headers, message.time),
        data=_decode_data(message.payload),
        cascade=cascade,
        hops=hops,
        cause=_cause(headers),
        traceparent=_traceparent(headers),
        replay_of=replay_of,
        replayed_by=replayed_by,
        replayed_why=replayed_why,
    )


def escape(text: str) -> str:
    """`text` as a header's value: every byte but printable ASCII, and space, `"` and `%`, becomes `%HH`."""
    return quote(text, safe=_PLAIN)


def unescape(value: str) -> str:
    """The inverse of `escape`. ValueError at a `%` that escapes nothing, or bytes that are not UTF-8."""
    if _BAD_ESCAPE.search(value):
        raise ValueError("holds a % that is not followed by two hexadecimal digits")
    return unquote_to_bytes(value).decode()


def _check_form(headers: Mapping[str, str], event_type: str) -> None:
    if headers.get("Content-Type", "").startswith("application/cloudevents"):
        raise _bad("Content-Type", "structured mode is not understood: send the data as payload, attributes as headers")
    if headers.get("ce-specversion", "1.0") != "1.0":
        raise _bad("ce-specversion", "must be 1.0")
    content = headers.get("ce-datacontenttype", "application/json").partition(";")[0].strip().lower()
    if content != "application/json" and not content.endswith("+json"):
        raise _bad("ce-datacontenttype", "must be application/json")
    if (_text(headers, "ce-type") or event_type) != event_type:
        raise _bad("ce-type", f"must be {event_type!r}, as the subject says")


def _id(headers: Mapping[str, str], last_token: str) -> str:
    claimed = _text(headers, "ce-id")
    if claimed is None:
        return untoken(last_token)
    if last_token not in (token(claimed), claimed):
        raise _bad("ce-id", f"must be the subject's last token, {last_token!r}")
    return claimed


def _hops(headers: Mapping[str, str]) -> int:
    value = headers.get("ce-hops", "0")
    if not (value.isascii() and value.isdecimal()) or len(value) > 9 or int(value) > MOST_HOPS:
        raise _bad("ce-hops", f"must be a whole number from 0 to {MOST_HOPS}")
    return int(value)


def _time(headers: Mapping[str, str], stored_at: datetime) -> datetime:
    value = _text(headers, "ce-time")
    if value is None:
        return stored_at
    try:
        time = msgspec.convert(value, datetime, strict=False)
    except msgspec.ValidationError as error:
        raise _bad("ce-time", "must be a time as in RFC 3339") from error
    if time.tzinfo is None:
        raise _bad("ce-time", "must have a time zone")
    return time


def _cause(headers: Mapping[str, str]) -> Cause | None:
    run, step = _text(headers, "ce-causerun"), _text(headers, "ce-causestep")
    if run is None and step is None:
        return None
    if run is None or step is None:
        raise _bad("ce-causerun", "and ce-causestep must be given together")
    return Cause(run, step)


def _traceparent(headers: Mapping[str, str]) -> str | None:
    """The trace context; W3C has a receiver ignore one that is malformed."""
    value = headers.get("traceparent")
    return value if value is not None and _TRACEPARENT.fullmatch(value) else None


def _text(headers: Mapping[str, str], name: str) -> str | None:
    """A header's text; None when it is missing or empty."""
    value = headers.get(name)
    if not value:
        return None
    try:
        return unescape(value)
    except ValueError as error:
        raise _bad(name, "is not percent-encoded as CloudEvents wants it") from error


def _bad(header: str, why: str) -> Undecodable:
    return Undecodable("bad_header", f"{header} {why}")
