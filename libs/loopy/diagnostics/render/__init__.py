"""Diagnostics as text: full for people, concise for editors, json for programs, github for annotations of a build."""

from collections.abc import Sequence

from loopy.diagnostics.diagnostic import Diagnostic


def counted(diagnostics: Sequence[Diagnostic]) -> str:
    """`3 errors, 1 warning`; what there is none of is left out."""
    parts = []
    for severity in ("error", "warning"):
        count = sum(diagnostic.severity == severity for diagnostic in diagnostics)
        if count:
            parts.append(f"{count} {severity}{'' if count == 1 else 's'}")
    return ", ".join(parts)
