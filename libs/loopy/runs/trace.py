"""One trace from the first event to every outcome: which span each thing is, and which one it belongs to. Pure.

The trace is the one that the first event came with (W3C Trace Context), else one that follows from the cascade's id.
Ids of spans follow from what they are of, so that processes which never talk to each other name the same ones.
"""

import re

import msgspec

from loopy.runs.ids import derive
from loopy.runs.records import Event

TRACE_DIGITS, SPAN_DIGITS = 32, 16
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class Span(msgspec.Struct, frozen=True):
    """The place of a span: hexadecimal digits of its trace, its own id and its parent's ("" for a first one)."""

    trace: str
    id: str
    parent: str = ""


def run_span(run: str, event: Event) -> Span:
    """The span of a run: below the run that emitted its event, or below what its first event came with."""
    return Span(_trace(event), _run_id(run), _run_id(event.cause.run) if event.cause else _came_with(event)[1])


def attempt_span(run: str, step: str, epoch: int, attempt: int, event: Event) -> Span:
    """The span of an attempt: below its run."""
    return Span(_trace(event), _span_id("attempt", run, step, str(epoch), str(attempt)), _run_id(run))


def request_span(sensor: str, source_id: str, given: str | None, stored: str) -> Span:
    """The span of a webhook's request: the one that its delivery was stored with, or one below what it came with."""
    of = _TRACEPARENT.fullmatch(stored)
    assert of is not None, stored
    if given != stored:
        return Span(of[1], of[2])
    return Span(of[1], _span_id("request", sensor, source_id), of[2])


def sense_span(sensor: str, source_id: str, traceparent: str | None) -> Span | None:
    """The span of a sensor's call for one delivery: below the request; None for a call that came with no trace."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    return Span(found[1], _span_id("sense", sensor, source_id), found[2]) if found else None


def _trace(event: Event) -> str:
    return _came_with(event)[0] or _digits(TRACE_DIGITS, "trace", event.cascade)


def _came_with(event: Event) -> tuple[str, str]:
    """The trace and the span that an event came with; empty when it came with none."""
    found = _TRACEPARENT.fullmatch(event.traceparent or "")
    return (found[1], found[2]) if found else ("", "")


def _run_id(run: str) -> str:
    return _span_id("run", run)


def _span_id(*of: str) -> str:
    return _digits(SPAN_DIGITS, "span", *of)


def _digits(count: int, *of: str) -> str:
    return (derive(*of) + derive("more", *of))[:count]
