"""A diagnostic: one mistake of a project, told so that its author can mend it."""

from typing import Literal, TypeAlias

import msgspec

from loopy.diagnostics.codes import severity_of
from loopy.diagnostics.span import Span

Severity: TypeAlias = Literal["error", "warning"]


class Label(msgspec.Struct, frozen=True, order=True):
    """A remark under a stretch of source: `^^^ unknown field`."""

    span: Span
    text: str


class Diagnostic(msgspec.Struct, frozen=True):
    """What is wrong (`headline`, in the author's words), where, and what to do about it.

    `label` is the remark under the primary span; `also` points at other places that explain the mistake; `help` is one
    sentence that can be followed, or empty; `paste` is text ready to be pasted into a file, or empty.
    """

    code: str
    headline: str
    span: Span
    label: str = ""
    also: tuple[Label, ...] = ()
    help: str = ""
    paste: str = ""

    @property
    def severity(self) -> Severity:
        """`error` or `warning`, a property of the code."""
        return severity_of(self.code)


def in_order(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """By place, then code; each once."""
    unique = {(d.span, d.code, d.headline): d for d in diagnostics}
    return [unique[key] for key in sorted(unique)]
