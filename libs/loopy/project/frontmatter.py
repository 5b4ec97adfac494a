"""A Markdown file with a header: what stands between two lines of `---`, and the prose below."""

import re
from typing import Any

import msgspec

from loopy.diagnostics.diagnostic import Diagnostic
from loopy.diagnostics.span import Span
from loopy.project.model import Prose
from loopy.project.text import control_character
from loopy.project.tree import Pairs, described
from loopy.project.yamlspan import read_yaml

_FENCE = re.compile(r"^---[ \t]*$", re.MULTILINE)
_FIRST = re.compile(r"---[ \t]*\n")


class Headed(msgspec.Struct, frozen=True):
    """A file's header and prose. `header` is None when it could not be read, which has been reported."""

    header: Pairs | None
    prose: Prose


def read_headed(path: str, text: str) -> tuple[Headed, list[Diagnostic]]:
    """The header and prose of a file. Only the first two `---` lines count: the prose may hold more."""
    if bad := control_character(path, text):
        return _nothing(text), [bad]
    opening = _FIRST.match(text)
    if opening is None:
        return _nothing(text), [_no_header(path, text)]
    closing = _FENCE.search(text, opening.end())
    if closing is None:
        return _nothing(text), [_not_closed(path, text)]
    header, diagnostics = _header(path, text[opening.end() : closing.start()])
    line = text.count("\n", 0, closing.end()) + 2
    return Headed(header, Prose(text[closing.end() + 1 :], line)), diagnostics


def _nothing(text: str) -> Headed:
    return Headed(None, Prose(text, 1))


def _header(path: str, text: str) -> tuple[Pairs | None, list[Diagnostic]]:
    tree, diagnostics = read_yaml(text, path, first_line=2)
    match tree:
        case Pairs():
            return tree, diagnostics
        case None:
            return (None, diagnostics) if diagnostics else (Pairs((), Span(path, 2, 1, 2, 1)), [])
        case _:
            headline = f"the header must be keys and values, not {described(tree)}"
            return None, [*diagnostics, Diagnostic("LP107", headline, tree.span, "expected `key: value`")]


def _no_header(path: str, text: str) -> Diagnostic:
    first = text.split("\n", 1)[0]
    hint = "begin the file with a line `---`, then the keys, then another `---`"
    if not text.strip():
        return Diagnostic("LP108", f"`{path}` is empty", Span(path), help=hint)
    span = Span.of(path, 1, 1, len(first))
    if _FENCE.search(text):
        hint = "the line `---` must be the first of the file"
    return Diagnostic("LP108", f"`{path}` does not begin with a header", span, "expected `---`", help=hint)


def _not_closed(path: str, text: str) -> Diagnostic:
    span = Span.of(path, 1, 1, 3)
    hint = "write a line `---` between the keys and the prose"
    for number, line in enumerate(text.split("\n")[1:], 2):
        if re.fullmatch(r"\s+---\s*|-{4,}\s*|--\s*|—\s*", line):
            wrong: Any = Span.of(path, number, 1, len(line))
            return Diagnostic("LP109", "the header is not closed", wrong, "expected exactly `---`", help=hint)
    return Diagnostic("LP109", "the header is not closed", span, "opened here", help=hint)
