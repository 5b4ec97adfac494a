"""A mistake within a piece of text (prose or a condition), before it is known where the text stands in its file."""

from collections.abc import Callable

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
    """Places in a YAML scalar: exact where it stands on one line without escapes, else the whole scalar."""
    line = (source.splitlines() or [""])[word.span.line - 1 :][:1]
    begin = _begin(word, line[0] if line else "")

    def place(start: int, width: int) -> Span:
        if begin is None:
            return word.span
        return Span.of(word.span.path, word.span.line, begin + start, width)

    return place


def _begin(word: Word, line: str) -> int | None:
    """The column at which the scalar's text begins, past a quotation mark."""
    for skipped in (0, 1):
        column = word.span.column + skipped
        if line[column - 1 :].startswith(word.value) and "\n" not in word.value:
            return column
    return None
