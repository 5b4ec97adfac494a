"""Prose at compile time: every reference exists and has a type that fits its use.

A body that holds nothing but `{{ a.b }}` is read with one regular expression; anything richer by Jinja's own parser,
which `prose_tree` walks and which costs more to import than most projects take to compile.
"""

import re
from collections.abc import Callable

from loopy.compiler.fault import Fault
from loopy.compiler.scope import Known, Part, Scope, Seen

_REFERENCE = re.compile(r"\{\{\s*([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)\s*\}\}", re.ASCII)
_TAG = re.compile(r"\{[{%#]")
_WORD = re.compile(r"[^.]+")
# Names that mean something else to Jinja when they stand alone.
_NOT_NAMES = frozenset(["true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else"])


def check_prose(text: str, scope: Scope, known: Known, report: Callable[[Fault], None]) -> None:
    """Report each mistake of a template. `known` is what the step's `when` has shown to be there."""
    if "{" not in text:
        return
    text = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    references = list(_REFERENCE.finditer(text))
    simple = len(references) == len(_TAG.findall(text)) and all(r[1] not in _NOT_NAMES for r in references)
    if simple:
        for reference in references:
            check_printed(parts_of(reference[1], reference.start(1)), scope, known, report)
        return
    from loopy.compiler.prose_tree import check_tree

    check_tree(text, scope, known, report)


def parts_of(dotted: str, start: int) -> list[Part]:
    """The names of `a.b.c`, which begins at offset `start`."""
    return [Part(match[0], start + match.start()) for match in _WORD.finditer(dotted)]


def check_printed(parts: list[Part], scope: Scope, known: Known, report: Callable[[Fault], None]) -> None:
    """A reference that is printed as it is: `{{ a.b }}`."""
    warn_of_skipped(scope.look_up(parts, known, report), parts, report)


def warn_of_skipped(seen: Seen, parts: list[Part], report: Callable[[Fault], None]) -> None:
    """Warn of printing the value of a step that may be skipped: its author hardly meant `none`."""
    if not seen.skipped:
        return
    reference = ".".join(part.name for part in parts)
    start = parts[0].start
    report(
        Fault(
            "LP808",
            f"`{seen.skipped}` may be skipped, and then `{reference}` is printed as `none`",
            start,
            parts[-1].end - start,
            label="optional value",
            help=f'write `{{{{ {reference} | default("…") }}}}` or `{{% if {reference} %}}…{{% endif %}}`',
        )
    )
