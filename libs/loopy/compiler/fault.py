"""A mistake within a piece of text (prose or a condition), before it is known where the text stands in its file."""

from collections.abc import Callable
from functools import cache

import msgspec

from loopy.diagnostics.diagnostic import Diagnostic, Label
from loopy.diagnostics.span import Span
from loopy.project.model import Prose, Word


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with `width` characters from offset `start` of a text; the rest as in `Diagnostic`."""

    code: str
    headline: str
    start: int
    width: int
    label: str = ""
    also: tuple[Label, ...] = ()
    help: str = ""

    def at(self, place: "Place") -> Diagnostic:
        """The diagnostic, now that the text has a place."""
        span = place(self.start, max(self.width, 1))
        return Diagnostic(self.code, self.headline, span, self.label, self.also, self.help)


Place = Callable[[int, int], Span]
"""From an offset and a width within a text to the span in its file."""


def place_in_prose(path: str, prose: Prose) -> Place:
    """Places in a step's body, which stands in its file as it is."""
    text = prose.text.replace("\r\n", "\n").replace("\r", "\n")

    def place(start: int, width: int) -> Span:
        before = text[:start]
        line = prose.line + before.count("\n")
        column = start - (before.rfind("\n") + 1) + 1
        stretch = text[start : start + width].split("\n", 1)[0]
        return Span.of(path, line, column, max(len(stretch), 1))

    return place


def place_in_word(word: Word, source: str) -> Place:
    """Places in a YAML scalar, on however many lines it stands; all of it where an escape hides a character."""

    @cache
    def offsets() -> list[int] | None:
        return _offsets(word, source)

    def place(start: int, width: int) -> Span:
        found = offsets()
        if not found:
            return word.span
        last = len(found) - 1
        first, end = found[min(start, last)], found[min(start + width - 1, last)] + 1
        return Span(word.span.path, *_line_and_column(source, first), *_line_and_column(source, end))

    return place


def _offsets(word: Word, source: str) -> list[int] | None:
    """Where in the file each character of a scalar's text stands. YAML may have folded its lines."""
    at = _begin(word, source)
    quote = source[at : at + 1] if source[at : at + 1] in ("'", '"') else ""
    at = source.find("\n", at) + 1 if source[at : at + 1] in ("|", ">") else at + len(quote)
    offsets: list[int] = []
    for character in word.value:
        if character.isspace():
            offsets.append(at)
            at += source[at : at + 1] == character
            continue
        while source[at : at + 1].isspace():
            at += 1
        if quote == '"' and source[at : at + 1] == "\\" != character:
            at += 1
        if source[at : at + 1] != character:
            return None
        offsets.append(at)
        at += 2 if quote == character == "'" else 1
    return offsets


def _begin(word: Word, source: str) -> int:
    """The offset of a scalar's first character in its file."""
    at = 0
    for _ in range(word.span.line - 1):
        at = source.find("\n", at) + 1
    return at + word.span.column - 1


def _line_and_column(source: str, offset: int) -> tuple[int, int]:
    return source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset)
