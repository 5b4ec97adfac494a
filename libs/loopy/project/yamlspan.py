"""YAML with positions: libyaml's events as a tree in which every word knows its place.

The events are read one by one, so nothing of a hostile file is built before it has been judged: nesting is cut off at
`MAX_DEPTH`, and aliases, which could blow a small file up to any size, are refused.
"""

from typing import Any

import yaml

from loopy.diagnostics.diagnostic import Diagnostic, Label
from loopy.diagnostics.span import Span
from loopy.project.mask import Mask
from loopy.project.tree import Entry, Items, Lost, Pairs, Text, Tree
from loopy.project.yamlwords import in_words

MAX_DEPTH = 50

_INSTEAD = {"tag": "write the plain value, in quotes if it begins with `!`; a condition is negated with `not`"}

# libyaml where PyYAML was built with it, its own parser of the same events elsewhere.
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def read_yaml(text: str, path: str, first_line: int = 1) -> tuple[Tree | None, list[Diagnostic]]:
    """The tree of a YAML text that begins on a line of a file. None when there is nothing, or no reading on."""
    reader = _TreeReader(text, path, first_line)
    try:
        return reader.whole(), reader.diagnostics
    except _Unreadable:
        return None, reader.diagnostics
    except yaml.MarkedYAMLError as error:
        reader.diagnostics.append(in_words(error, text, path, first_line))
        return None, reader.diagnostics


class _Unreadable(Exception):  # not an error of ours: reading stops here, the reason is in the diagnostics
    """What has been read so far is no good, and why has been reported."""


class _TreeReader:
    """One text on its way from events to a tree."""

    def __init__(self, text: str, path: str, first_line: int) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._path = path
        self._first_line = first_line
        self._lines = text.split("\n")
        self._mask = Mask(text)
        self._parser = _LOADER(self._mask.masked)
        self._foreign = False

    def whole(self) -> Tree | None:
        self._next()  # the stream's start
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        tree = self._node(self._next(), 0)
        self._next()  # the document's end
        after = self._next()
        if not isinstance(after, yaml.StreamEndEvent):
            self._report("LP110", "a second YAML document begins here", self._span(after, 3), "a file holds one")
        return tree

    def _next(self) -> Any:
        return self._parser.get_event()

    def _node(self, event: Any, depth: int) -> Tree:
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_foreign(event)
            return self._text(event) if event.value or event.tag is None else Lost(self._span(event))
        if isinstance(event, yaml.AliasEvent):
            self._refuse("alias", f"*{event.anchor}", self._span(event))
            return Lost(self._span(event))
        self._refuse_foreign(event)
        if depth >= MAX_DEPTH:
            self._report("LP111", f"this is nested more than {MAX_DEPTH} deep", self._span(event, 1), "too deep")
            raise _Unreadable
        return self._pairs(event, depth) if isinstance(event, yaml.MappingStartEvent) else self._items(event, depth)

    def _text(self, event: Any) -> Text | Lost:
        text = self._mask.unmask(event.value)
        if event.style in ("|", ">"):
            return Text(text, self._span(event, 1), plain=False)
        span = self._span(event)
        if event.style == '"' and not text.replace("\n", "").replace("\t", "").isprintable():
            return self._printable(text, span)
        return Text(text, span, plain=not event.style)

    def _items(self, start: Any, depth: int) -> Items:
        items: list[Tree] = []
        event = self._next()
        while not isinstance(event, yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
            event = self._next()
        return Items(tuple(items), self._around(start, event, items))

    def _pairs(self, start: Any, depth: int) -> Pairs | Lost:
        """A map, or nothing where every key of it was wrong."""
        entries: dict[str, Entry] = {}
        values: list[Tree] = []
        event = self._next()
        while not isinstance(event, yaml.MappingEndEvent):
            key = self._key(event, depth)
            value = self._node(self._next(), depth + 1)
            values.append(value)
            if key is not None and self._is_new(key, entries):
                entries[key.text] = Entry(key, value)
            event = self._next()
        span = self._around(start, event, values)
        return Lost(span) if values and not entries else Pairs(tuple(entries.values()), span)

    def _key(self, event: Any, depth: int) -> Text | None:
        key = self._node(event, depth + 1)
        if isinstance(key, Text) and key.text == "<<" and key.plain:
            self._refuse("merge key", "<<", key.span)
            return None
        if isinstance(key, Text) and not key.is_null:
            return key
        if isinstance(key, Text):
            self._report("LP112", "a key is missing before this `:`", self._span(event, 1), "no key")
        elif isinstance(key, Pairs):
            help_ = "put `{{ … }}` into quotes" if key.span.line == key.span.end_line else "a key is one word"
            self._report("LP112", "a map cannot be a key", key.span, "a key is one word", help_)
        elif isinstance(key, Items):
            self._report("LP112", "a list cannot be a key", key.span, "a key is one word")
        return None

    def _is_new(self, key: Text, entries: dict[str, Entry]) -> bool:
        if (first := entries.get(key.text)) is None:
            return True
        also = (Label(first.key.span, "first written here"),)
        self.diagnostics.append(
            Diagnostic("LP105", f"`{key.text}` is written twice", key.span, "again", also, "remove one of the two")
        )
        return False

    def _refuse_foreign(self, event: Any) -> None:
        if event.anchor is not None:
            self._refuse("anchor", f"&{event.anchor}", self._span(event, 1 + len(event.anchor)))
        elif event.tag is not None:
            self._refuse("tag", event.tag, self._span(event, 1))

    def _refuse(self, kind: str, word: str, span: Span) -> None:
        if not self._foreign:
            headline = f"YAML's {kind} `{word}` is not part of the language"
            self._report("LP106", headline, span, kind, _INSTEAD.get(kind, "write the value out where it is used"))
        self._foreign = True

    def _printable(self, text: str, span: Span) -> Text | Lost:
        """Text in double quotes, whose escapes may have made control characters of it."""
        bad = next((c for c in text if (c < " " and c not in "\n\t") or "\x7f" <= c < "\xa0"), None)
        if bad is None:
            return Text(text, span, plain=False)
        self._report("LP102", f"this text holds the control character U+{ord(bad):04X}", span, "in this text")
        return Lost(span)

    def _around(self, start: Any, end: Any, values: list[Tree]) -> Span:
        """A collection's place: to its closing bracket, or to the end of its last value where it has none."""
        first = start.start_mark
        if start.flow_style or not values:
            last = end.end_mark
            return Span(self._path, *self._place(first), *self._place(last))
        inner = values[-1].span
        return Span(self._path, *self._place(first), inner.end_line, inner.end_column)

    def _span(self, event: Any, width: int | None = None) -> Span:
        line, column = self._place(event.start_mark)
        if width is not None:
            rest = len(self._lines[line - self._first_line]) + 1 - column
            return Span.of(self._path, line, column, min(width, rest))
        return Span(self._path, line, column, *self._place(event.end_mark))

    def _place(self, mark: Any) -> tuple[int, int]:
        """A mark's line and column; a mark behind the end of the text is moved to it."""
        line = min(mark.line, len(self._lines) - 1)
        return line + self._first_line, min(mark.column, len(self._lines[line])) + 1

    def _report(self, code: str, headline: str, span: Span, label: str = "", help_: str = "") -> None:
        self.diagnostics.append(Diagnostic(code, headline, span, label, help=help_))
