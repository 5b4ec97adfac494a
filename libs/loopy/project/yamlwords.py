"""What YAML's parser says, in the author's words and at the place that the author has to mend."""

import re
from collections.abc import Callable
from typing import Any

import yaml

from loopy.diagnostics.diagnostic import Diagnostic, Label
from loopy.diagnostics.span import Span

OF_RECORDS = "a list of records is written `{ type: array, items: { type: object, properties: { … } } }`"
_RECORD_INSIDE = re.compile(r"\b(?:list|map)\[\s*\{")


class _Fault:
    """A parser's error beside the text: where it arose, and where the construct began that it arose in."""

    def __init__(self, error: yaml.MarkedYAMLError, text: str, path: str, first_line: int) -> None:
        self.problem = error.problem or ""
        self.context = error.context or ""
        self.lines = text.split("\n")
        self._path = path
        self._first_line = first_line
        self.at = self._inside(error.problem_mark or error.context_mark)
        self.began = self._inside(error.context_mark or error.problem_mark)

    def _inside(self, mark: Any) -> tuple[int, int]:
        """A mark as (line, column) from 0, moved to the end of the last line that holds anything."""
        if mark is None:
            return 0, 0
        line = min(mark.line, len(self.lines) - 1)
        if line == len(self.lines) - 1 and not self.lines[line].strip():
            line = max((i for i, text in enumerate(self.lines) if text.strip()), default=0)
            return line, len(self.lines[line])
        return line, min(mark.column, len(self.lines[line]))

    @property
    def line(self) -> str:
        return self.lines[self.at[0]]

    @property
    def character(self) -> str:
        return self.line[self.at[1] : self.at[1] + 1]

    def span(self, place: tuple[int, int]) -> Span:
        width = 1 if place[1] < len(self.lines[place[0]]) else 0
        return Span.of(self._path, self._first_line + place[0], place[1] + 1, width)

    def told(
        self, headline: str, label: str, help_: str = "", *, code: str = "LP103", began: bool = False
    ) -> Diagnostic:
        """The diagnostic, at the place of the error or where its construct began."""
        return Diagnostic(code, headline, self.span(self.began if began else self.at), label, help=help_)


def in_words(error: yaml.MarkedYAMLError, text: str, path: str, first_line: int) -> Diagnostic:
    """The diagnostic of a text that YAML's parser could not read."""
    fault = _Fault(error, text, path, first_line)
    indent = fault.line[: len(fault.line) - len(fault.line.lstrip())]
    if "\t" in indent and fault.at[1] <= len(indent) + 1:
        at = (fault.at[0], indent.index("\t"))
        return Diagnostic(
            "LP104", "this line is indented with a tab", fault.span(at), "a tab", help="indent with spaces"
        )
    if (blank := _foreign_blank(fault)) is not None:
        headline = "a no-break space stands where YAML wants a plain one"
        return Diagnostic("LP103", headline, fault.span(blank), "invisible", help="replace it with a plain space")
    inner = _RECORD_INSIDE.search(fault.line)
    if inner is not None and inner.end() <= fault.at[1] + 2:
        at = (fault.at[0], inner.end() - 1)
        return Diagnostic("LP103", "a record cannot stand inside of `[…]`", fault.span(at), "not here", help=OF_RECORDS)
    for words, tell in _TELLERS:
        if words in fault.problem or words in fault.context:
            return tell(fault)
    return fault.told(f"this is not valid YAML: {fault.problem}", "here")


def _foreign_blank(fault: _Fault) -> tuple[int, int] | None:
    """A no-break space behind the colon of a key, on the line of the fault or the one before."""
    for line in (fault.at[0], fault.at[0] - 1):
        text = fault.lines[line] if line >= 0 else ""
        if (column := text.find(":\N{NO-BREAK SPACE}")) >= 0:
            return line, column + 1
    return None


def _unclosed(fault: _Fault) -> Diagnostic:
    opening = fault.lines[fault.began[0]][fault.began[1] : fault.began[1] + 1] or "{"
    closing = "]" if opening == "[" else "}"
    if fault.at[0] != fault.began[0] or fault.at[1] >= len(fault.line.rstrip()):
        return fault.told(f"`{opening}` is never closed", "opened here", f"close it with `{closing}`", began=True)
    if fault.character == "?" and fault.line[: fault.at[1]].rstrip().endswith("}"):
        return fault.told(
            "a record cannot be marked with `?`", "not here", "mark each of its fields that may be absent"
        )
    told = fault.told(
        f"a `,` or `{closing}` is missing here", "expected `,`", "put text with `: , [ ] { }` into quotes"
    )
    return Diagnostic(
        told.code, told.headline, told.span, told.label, (Label(fault.span(fault.began), "opened here"),), told.help
    )


def _no_value(fault: _Fault) -> Diagnostic:
    found = fault.character
    if not found:
        return fault.told("a value is missing at the end", "missing here")
    return fault.told(f"a value is missing before `{found}`", "expected a value")


def _no_start(fault: _Fault) -> Diagnostic:
    if fault.character == "\t":
        return fault.told("there is a tab before this value", "a tab", "separate with spaces", code="LP104")
    return fault.told(f"a value cannot begin with `{fault.character}`", "not here", "put the value into quotes")


def _bare_star(fault: _Fault) -> Diagnostic:
    mark = fault.lines[fault.began[0]][fault.began[1] : fault.began[1] + 1]
    return fault.told(f"text that begins with `{mark}` needs quotes", "begins here", 'write it as `"…"`', began=True)


def _indentation(fault: _Fault) -> Diagnostic:
    if fault.line[: fault.at[1]].rstrip().endswith(('"', "'", "]", "}")):
        return fault.told(
            "something follows the end of this value", "expected the end of the line", "quote all of it or none"
        )
    return fault.told(
        "this line does not fit the lines around it", "unexpected", "check its indentation, and for a missing `:`"
    )


def _second_colon(fault: _Fault) -> Diagnostic:
    if not fault.line[: fault.at[1]].strip().count(":"):
        return fault.told(
            "this key stands where none can", "unexpected key", "check the indentation, and the line above for a `:`"
        )
    return fault.told("a value holds `: `", "a second `:`", "put the value into quotes")


def _same(
    headline: str, label: str, help_: str = "", *, code: str = "LP103", began: bool = False
) -> Callable[[_Fault], Diagnostic]:
    return lambda fault: fault.told(headline, label, help_, code=code, began=began)


# A part of the parser's message (libyaml's or PyYAML's own) → how it is told. The first that fits is taken.
_TELLERS: tuple[tuple[str, Callable[[_Fault], Diagnostic]], ...] = (
    ("tab character", _same("there is a tab in the indentation", "a tab", "indent with spaces", code="LP104")),
    ("scanning an alias", _bare_star),
    ("scanning an anchor", _bare_star),
    (
        "tag",
        _same(
            "YAML's tags are not part of the language",
            "tag",
            "write the plain value, in quotes if need be",
            code="LP106",
        ),
    ),
    ("cannot start any token", _no_start),
    ("expected ',' or", _unclosed),
    ("unexpected end of stream", _same("this quote is never closed", "opened here", "close the quote", began=True)),
    ("document indicator", _same("this quote is never closed", "opened here", "close the quote", began=True)),
    ("mapping values are not allowed", _second_colon),
    (
        "sequence entries are not allowed",
        _same("a list cannot begin on this line", "unexpected `-`", "put each `- item` on a line of its own"),
    ),
    ("'-' indicator", _same("an item of this list lacks its `-`", "expected `-`", "check the indentation")),
    (
        "escape",
        _same(
            "this escape does not exist in double quotes",
            "unknown",
            r"write `\\` for a backslash, or use single quotes",
        ),
    ),
    (
        "block scalar",
        _same("only `-`, `+` or a digit can follow `|` and `>`", "unexpected", "begin the text on the next line"),
    ),
    ("node content", _no_value),
    ("document start", _same("a second YAML document begins here", "a file holds one", code="LP110")),
    ("directive", _same("YAML's directives are not part of the language", "directive")),
    ("YAML document", _same("YAML's directives are not part of the language", "directive")),
    ("expected key", _indentation),
    ("<block end>", _indentation),
    ("expected ':'", _same("a key lacks its `:`", "expected `:` after the key", began=True)),
)
