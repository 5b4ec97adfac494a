"""Diagnostics as commands that make GitHub Actions annotate the files of a change."""

from collections.abc import Sequence

from loopy.diagnostics.diagnostic import Diagnostic


def github(diagnostics: Sequence[Diagnostic], project: str = "") -> str:
    """`::error file=…,line=…,col=…,title=…::headline`, one line each.

    `project` is the project's directory in the change, with a `/` at its end.
    """
    return "".join(_command(diagnostic, project) for diagnostic in diagnostics)


def _command(diagnostic: Diagnostic, project: str) -> str:
    span = diagnostic.span
    properties = {
        "file": f"{project}{span.path}",
        "line": str(span.line),
        "endLine": str(span.end_line),
        "col": str(span.column),
        "endColumn": str(span.end_column),
        "title": f"loopy {diagnostic.code}",
    }
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    text = f"{diagnostic.headline}; {diagnostic.help}" if diagnostic.help else diagnostic.headline
    return f"::{diagnostic.severity} {written}::{_data(text)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
