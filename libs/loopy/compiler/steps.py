"""What each step reads: its prose, its condition and its concurrency key, against the types upstream."""

from collections.abc import Mapping

from loopy.compiler.conditions import check_condition
from loopy.compiler.fault import Fault, Place, place_in_prose, place_in_word
from loopy.compiler.name_rules import can_be_read
from loopy.compiler.prose import check_prose
from loopy.compiler.resolve import Broken, Names, Report
from loopy.compiler.scope import NOTHING_KNOWN, Scope, Source
from loopy.compiler.workflows import Shape
from loopy.project.model import FieldDecl, OnCron, OnEvent, StepDecl
from loopy.types.model import TICK, UNKNOWN, Record

_UNREADABLE = ("LP601", "LP604", "LP610", "LP614")

NOWHERE = Source(UNKNOWN)


def check_steps(shape: Shape, names: Names, broken: Broken, sources: Mapping[str, str], report: Report) -> None:
    """Report every reference of a workflow's steps that leads nowhere or has the wrong type."""
    outputs = {name: _output(step, broken) for name, step in shape.steps.items()}
    event_name, event = _event(shape, names)
    nameless = tuple(name for name in shape.steps if not can_be_read(name))

    def told(text: str, place: Place) -> "_Told":
        return _Told(place, report, hidden=any(f"{name}." in text for name in nameless))

    for step in shape.steps.values():
        scope = Scope(step.name, event_name, event, outputs, shape.graph, step.name in shape.adrift)
        known = NOTHING_KNOWN
        if step.when is not None:
            place = place_in_word(step.when, sources.get(step.path, ""))
            known = check_condition(step.when.value, scope, told(step.when.value, place))
        check_prose(step.prose.text, scope, known, told(step.prose.text, place_in_prose(step.path, step.prose)))
        key = step.concurrency.key if step.concurrency is not None else None
        if key is not None:
            place = place_in_word(key, sources.get(step.path, ""))
            check_prose(key.value, scope, NOTHING_KNOWN, told(key.value, place))


class _Told:
    """Reports a fault of a text at its place in the file.

    In a `hidden` text stands a step's name that is a mistake of its own: that the text cannot be read is not another.
    """

    def __init__(self, place: Place, report: Report, *, hidden: bool) -> None:
        self._place = place
        self._report = report
        self._hidden = hidden

    def __call__(self, fault: Fault) -> None:
        if not (self._hidden and fault.code in _UNREADABLE):
            self._report(fault.at(self._place))


def _event(shape: Shape, names: Names) -> tuple[str, Source]:
    """The triggering event's name and fields; unknown where the trigger was wrong."""
    match shape.entry.on if shape.entry is not None else None:
        case OnEvent(event=word):
            declared = names.events.get(word.value)
            return word.value, _source(declared.fields) if declared is not None else NOWHERE
        case OnCron():
            return "cron", Source(TICK)
        case None:
            return "", NOWHERE


def _output(step: StepDecl, broken: Broken) -> Source:
    if not step.output and broken.file(step.path):
        return NOWHERE
    return _source(step.output, is_step=True)


def _source(fields: tuple[FieldDecl, ...], *, is_step: bool = False) -> Source:
    record = Record(tuple((field.name.value, field.type) for field in fields))
    return Source(record, {field.name.value: field.name.span for field in fields}, is_step)
