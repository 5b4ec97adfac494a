"""What a YAML text says, with the place of every word: the tree that step files and registries are read from.

Scalars are kept as they are written. What they mean is asked of them, by the rules of YAML 1.2's core schema: `on` and
`yes` are text, `true` is a truth value, `3.10` is whatever the reader wants it to be.
"""

import re
from typing import Any, TypeAlias, assert_never

import msgspec

from loopy.diagnostics.span import Span

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]{1,30}|[0-9]{1,30}(?:\.[0-9]{0,30})?)(?:[eE][-+]?[0-9]{1,2})?")
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class Text(msgspec.Struct, frozen=True, gc=False):
    """A scalar; `plain` when it is written without quotes, so that it may be a number, a truth value or null."""

    text: str
    span: Span
    plain: bool = True

    @property
    def is_null(self) -> bool:
        """Nothing is written, or `null`."""
        return self.plain and self.text in _NULLS

    def integer(self) -> int | None:
        """The whole number that is written, or None."""
        return int(self.text) if self.plain and _INTEGER.fullmatch(self.text) else None

    def number(self) -> float | None:
        """The finite number that is written, or None."""
        return float(self.text) if self.plain and _NUMBER.fullmatch(self.text) else None

    def truth(self) -> bool | None:
        """The truth value that is written, or None."""
        return _TRUTHS.get(self.text) if self.plain else None

    def part(self, offset: int, width: int) -> Span:
        """The place of some characters of the text: exact where it stands in the file as it is, else all of it."""
        written = self.span.end_column - self.span.column
        if self.span.line != self.span.end_line or written not in (len(self.text), len(self.text) + 2):
            return self.span
        start = self.span.column + offset + (written - len(self.text)) // 2
        return Span.of(self.span.path, self.span.line, start, width)


class Items(msgspec.Struct, frozen=True):
    """A sequence."""

    items: tuple["Tree", ...]
    span: Span


class Entry(msgspec.Struct, frozen=True):
    """A key and its value."""

    key: Text
    value: "Tree"

    @property
    def place(self) -> Span:
        """Where to point when the value is wrong: at the value, or at the key where nothing is written."""
        return self.key.span if isinstance(self.value, Text) and self.value.is_null else self.value.span


class Pairs(msgspec.Struct, frozen=True):
    """A mapping, in the order of the file, each key once."""

    entries: tuple[Entry, ...]
    span: Span

    def get(self, key: str) -> Entry | None:
        """The entry of a key, or None."""
        return next((entry for entry in self.entries if entry.key.text == key), None)


class Lost(msgspec.Struct, frozen=True):
    """A value that has been reported already and must not be reported again."""

    span: Span


Tree: TypeAlias = Text | Items | Pairs | Lost


def described(tree: Tree) -> str:
    """What a value is, in an author's words: `text`, `a number`, `a list`, `a map`."""
    match tree:
        case Text():
            if tree.is_null:
                return "nothing"
            if tree.number() is not None:
                return "a number"
            return "true or false" if tree.truth() is not None else "text"
        case Items():
            return "a list"
        case Pairs():
            return "a map"
        case Lost():
            return "nothing"
        case _ as never:
            assert_never(never)


def plain_value(tree: Tree) -> Any:
    """The tree as JSON has it: numbers, truth values and null by YAML's core schema."""
    match tree:
        case Text():
            return _scalar(tree)
        case Items():
            return [plain_value(item) for item in tree.items]
        case Pairs():
            return {entry.key.text: plain_value(entry.value) for entry in tree.entries}
        case Lost():
            return None
        case _ as never:
            assert_never(never)


def _scalar(text: Text) -> Any:
    if text.is_null:
        return None
    for meaning in (text.truth(), text.integer(), text.number()):
        if meaning is not None:
            return meaning
    return text.text
