"""One source line and the underline below it, clipped around the span where the line is long."""

import msgspec

from loopy.diagnostics.render.cells import expanded, width
from loopy.diagnostics.span import Span

MAX_CELLS = 100
_CONTEXT = 40
_ELLIPSIS = "…"


class Excerpt(msgspec.Struct, frozen=True):
    """A line ready to print, and the blanks and marks that go below it, in cells."""

    text: str
    indent: int
    marks: int


def excerpt(source: str, span: Span) -> Excerpt | None:
    """The line on which a span begins; None when the file has no such line."""
    lines = source.split("\n")
    if not 1 <= span.line <= len(lines):
        return None
    line = lines[span.line - 1].rstrip("\r")
    if span.line == 1:
        line = line.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    begin = min(max(span.column - 1, 0), len(line))
    end = len(line) if span.end_line > span.line else min(max(span.end_column - 1, begin), len(line))
    if width(line) > MAX_CELLS:
        return _clipped(line, begin, end)
    return _measured(line, begin, end)


def _measured(line: str, begin: int, end: int) -> Excerpt:
    indent = width(line[:begin])
    return Excerpt(expanded(line), indent, max(width(line[:end]) - indent, 1))


def _clipped(line: str, begin: int, end: int) -> Excerpt:
    """The stretch of a long line around the span; an ellipsis stands for what is left out."""
    first = max(begin - _CONTEXT, 0) if begin > _CONTEXT else 0
    last = min(max(min(end, begin + MAX_CELLS - _CONTEXT) + _CONTEXT // 2, first + MAX_CELLS - 2), len(line))
    head, tail = _ELLIPSIS if first else "", _ELLIPSIS if last < len(line) else ""
    shown = f"{head}{line[first:last]}{tail}"
    shift = len(head) - first
    return _measured(shown, begin + shift, min(end + shift, len(shown) - len(tail)))
