"""Diagnostics for people: the source line, the place underlined, what is wrong and what to do."""

from collections.abc import Mapping, Sequence

from loopy.diagnostics.diagnostic import Diagnostic, Severity
from loopy.diagnostics.render.excerpt import excerpt
from loopy.diagnostics.span import Span

MOST = 100

_STYLES: dict[str, str] = {"error": "1;31", "warning": "1;33", "bold": "1", "frame": "34", "also": "36", "help": "32"}


def full(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], *, project: str = "", colour: bool = False
) -> str:
    """Every diagnostic, an empty line behind each; of very many the first `MOST`, errors before warnings.

    `sources` are the files' texts, by path; `project` is the project's directory with a `/` at its end.
    """
    page = _Page(sources, project, colour)
    shown = _shown(diagnostics)
    text = "".join(page.diagnostic(diagnostic) + "\n" for diagnostic in shown)
    rest = len(diagnostics) - len(shown)
    return f"{text}… and {rest} more; `--format concise` lists them all\n\n" if rest else text


def _shown(diagnostics: Sequence[Diagnostic]) -> Sequence[Diagnostic]:
    """Those that a person can still read, in their order."""
    if len(diagnostics) <= MOST:
        return diagnostics
    places = sorted(range(len(diagnostics)), key=lambda place: diagnostics[place].severity)[:MOST]
    return [diagnostics[place] for place in sorted(places)]


class _Page:
    """The manner of one printing."""

    def __init__(self, sources: Mapping[str, str], project: str, colour: bool) -> None:
        self._sources = sources
        self._project = project
        self._colour = colour

    def diagnostic(self, diagnostic: Diagnostic) -> str:
        """One diagnostic, each of its lines ended."""
        spans = [diagnostic.span, *(label.span for label in diagnostic.also)]
        gutter = 1 + max(len(str(span.line)) for span in spans)
        lines = [self._title(diagnostic)]
        lines += self._place(diagnostic.span, "-->", diagnostic.label, "^", diagnostic.severity, gutter)
        for label in diagnostic.also:
            lines += self._place(label.span, ":::", label.text, "-", "also", gutter)
        lines += self._advice(diagnostic, gutter)
        return "".join(f"{line.rstrip()}\n" for line in lines)

    def _title(self, diagnostic: Diagnostic) -> str:
        kind = self._styled(f"{diagnostic.severity}[{diagnostic.code}]", diagnostic.severity)
        return f"{kind}{self._styled(f': {diagnostic.headline}', 'bold')}"

    def _place(self, span: Span, arrow: str, text: str, mark: str, style: Severity | str, gutter: int) -> list[str]:
        margin = " " * gutter
        lines = [f"{margin}{self._styled(arrow, 'frame')} {self._project}{span.path}:{span.line}:{span.column}"]
        shown = excerpt(self._sources.get(span.path, ""), span)
        if shown is None or not shown.text:
            return [*lines, f"{margin} {self._styled(f'= {text}', style)}"] if text else lines
        bar = self._styled("|", "frame")
        if mark == "^":
            lines.append(f"{margin} {bar}")
        lines.append(f"{self._styled(str(span.line).rjust(gutter), 'frame')} {bar} {shown.text}")
        marks = self._styled(f"{mark * shown.marks} {text}".rstrip(), style)
        lines.append(f"{margin} {bar} {' ' * shown.indent}{marks}")
        return lines

    def _advice(self, diagnostic: Diagnostic, gutter: int) -> list[str]:
        margin = " " * gutter
        explain = f"(loopy explain {diagnostic.code})"
        help_ = f"{self._styled('help', 'help')}: {diagnostic.help}      {explain}" if diagnostic.help else explain
        lines = [f"{margin} {self._styled('=', 'frame')} {help_}"]
        # At the margin, so that it can be copied as it is.
        return [*lines, "", *diagnostic.paste.splitlines()] if diagnostic.paste else lines

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colour else text
