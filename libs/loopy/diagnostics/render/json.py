"""Diagnostics for programs: one JSON document with stable keys."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from loopy.diagnostics.diagnostic import Diagnostic
from loopy.diagnostics.span import Span


def json(diagnostics: Sequence[Diagnostic], summary: Mapping[str, Any]) -> str:
    """`{"diagnostics": […], …summary}`, indented, with a line end."""
    document = {"diagnostics": [_one(diagnostic) for diagnostic in diagnostics], **summary}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _one(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "headline": diagnostic.headline,
        **_place(diagnostic.span),
        "label": diagnostic.label,
        "also": [{"text": label.text, **_place(label.span)} for label in diagnostic.also],
        "help": diagnostic.help,
        "paste": diagnostic.paste,
    }


def _place(span: Span) -> dict[str, Any]:
    return {
        "path": span.path,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }
