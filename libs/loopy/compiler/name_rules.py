"""Names among each other: those that meet on some file systems, those of two functions, those that are reserved."""

import keyword
import re
from collections.abc import Iterable

from loopy.compiler.catalogue import RESERVED_PREFIXES
from loopy.compiler.resolve import Report
from loopy.diagnostics.diagnostic import Diagnostic, Label
from loopy.project.model import Located, ProjectDecl, Word

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
# `event` is the trigger's, the others are constants of prose and of conditions.
_TAKEN = frozenset((*keyword.kwlist, "event", "true", "false", "none", "null"))
_REFERABLE = re.compile(r"[A-Za-z_]\w*(-\w+)*", re.ASCII)


def check_naming(project: ProjectDecl, report: Report) -> None:
    """Report every name that cannot stand beside the others."""
    registry = project.registry
    for noun, words in (
        ("agents", [agent.name for agent in registry.agents]),
        ("sandboxes", [sandbox.name for sandbox in registry.sandboxes]),
        ("events", [event.name for event in registry.events]),
        ("workflows", _workflows(project)),
    ):
        _case_collisions(noun, words, report)
    for workflow in sorted({step.workflow for step in project.steps}):
        steps = [Located(step.name, step.span) for step in project.steps if step.workflow == workflow]
        _case_collisions("steps", steps, report)
    _functions("@sensor", [sensor.name for sensor in project.sensors], report)
    _functions("@tool", [tool.name for tool in project.tools], report)
    _unreadable_steps(project, report)
    _reserved_events(project, report)
    _pools(project, report)


def _workflows(project: ProjectDecl) -> list[Word]:
    first: dict[str, Word] = {}
    for step in sorted(project.steps, key=lambda step: step.path):
        first.setdefault(step.workflow, Located(step.workflow, step.span))
    return list(first.values())


def _case_collisions(noun: str, words: Iterable[Word], report: Report) -> None:
    seen: dict[str, Word] = {}
    for word in words:
        other = seen.setdefault(word.value.casefold(), word)
        if other.value != word.value:
            headline = f"the {noun} `{other.value}` and `{word.value}` differ only in case"
            also = (Label(other.span, "the other one"),)
            report(Diagnostic("LP408", headline, word.span, also=also, help="rename one of them"))


def _functions(decorator: str, names: Iterable[Word], report: Report) -> None:
    seen: dict[str, Word] = {}
    for word in sorted(names, key=lambda word: word.span):
        other = seen.setdefault(word.value, word)
        if other is not word:
            headline = f"there are two `{decorator}` functions `{word.value}`"
            also = (Label(other.span, "the first one"),)
            report(Diagnostic("LP409", headline, word.span, also=also, help="rename one of them"))


def can_be_read(step: str) -> bool:
    """Whether prose and conditions can refer to a step of this name."""
    return _REFERABLE.fullmatch(step) is not None and step not in _TAKEN


def _unreadable_steps(project: ProjectDecl, report: Report) -> None:
    for step in project.steps:
        if step.output and not can_be_read(step.name):
            headline = f"no step can read `{step.name}.{step.output[0].name.value}`: `{step.name}` is no name in prose"
            help_ = f"rename `{step.path}`: a letter, then letters, digits, `_` and single `-`; no word of the language"
            report(Diagnostic("LP410", headline, step.span, help=help_))


def _reserved_events(project: ProjectDecl, report: Report) -> None:
    for event in project.registry.events:
        prefix, dot, _ = event.name.value.partition(".")
        if dot and prefix.casefold() in map(str.casefold, RESERVED_PREFIXES):
            headline = f"events that begin with `{prefix}.` are reserved for {prefix.capitalize()}'s own"
            plain = event.name.value.replace(".", "")
            help_ = f"call it `{plain[0].upper()}{plain[1:]}`, for instance"
            report(Diagnostic("LP413", headline, event.name.span, "reserved prefix", help=help_))


def _pools(project: ProjectDecl, report: Report) -> None:
    for step in project.steps:
        if step.pool is not None and not _TOKEN.fullmatch(step.pool.value):
            headline = f"`{step.pool.value}` cannot be the name of a pool"
            help_ = "use letters, digits, `_` and `-`, at most 64: the name is part of a subject on the bus"
            report(Diagnostic("LP414", headline, step.pool.span, help=help_))
