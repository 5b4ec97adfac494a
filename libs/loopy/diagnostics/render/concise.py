"""Diagnostics for editors and grep: one line each."""

from collections.abc import Sequence

from loopy.diagnostics.diagnostic import Diagnostic


def concise(diagnostics: Sequence[Diagnostic], project: str = "") -> str:
    """`path:line:column: error[LP302]: headline`, one line each; `project` is its directory with a `/` at its end."""
    return "".join(f"{project}{_line(diagnostic)}\n" for diagnostic in diagnostics)


def _line(found: Diagnostic) -> str:
    span = found.span
    headline = " ".join(found.headline.split())
    return f"{span.path}:{span.line}:{span.column}: {found.severity}[{found.code}]: {headline}"
