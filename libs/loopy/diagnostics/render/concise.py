"""Diagnostics for editors and grep: one line each."""

from collections.abc import Sequence

from loopy.diagnostics.diagnostic import Diagnostic


def concise(diagnostics: Sequence[Diagnostic]) -> str:
    """`path:line:column: error[LP302]: headline`, one line each."""
    return "".join(
        f"{d.span.path}:{d.span.line}:{d.span.column}: {d.severity}[{d.code}]: {' '.join(d.headline.split())}\n"
        for d in diagnostics
    )
