"""Values given on a command line, read by the types that the registry declares for them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from loopy.cli.exits import CommandError
from loopy.cli.parser import did_you_mean

if TYPE_CHECKING:
    from loopy.compiler.plan import Fields, Plan
    from loopy.types.model import Type
    from loopy.types.parse import TypeSpec


def event_data(plan: "Plan", event: str, base: Mapping[str, Any], fields: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The checked data of an event: `base` with these fields on top. CommandError names every field that is wrong."""
    from loopy.types.check import Mismatch, checker_of

    if event not in plan.events:
        known = f"the project declares {', '.join(plan.events)}" if plan.events else "the project declares no events"
        raise CommandError(f"there is no event `{event}`", did_you_mean(event, plan.events, known))
    declared = plan.events[event]
    data = {**base, **{name: _value(event, declared, name, text) for name, text in fields}}
    try:
        checked: dict[str, Any] = checker_of(declared).check(data)
    except Mismatch as mismatch:
        told = "\n".join(f"{problem.path or event}: {problem.reason}" for problem in mismatch.problems)
        raise CommandError(f"this is no {event}:\n{told}", _declaration(event, declared)) from None
    return checked


def _value(event: str, declared: "Fields", name: str, text: str) -> Any:
    if name not in declared:
        raise CommandError(
            f"{event} has no field `{name}`", did_you_mean(name, declared, _declaration(event, declared))
        )
    return value_of(declared[name], text)


def value_of(spec: "TypeSpec", text: str) -> Any:
    """The value that a text stands for, as its type is declared."""
    from loopy.types.parse import type_of

    if takes_text(type_of(spec)):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text  # the checker says what it should have been


def takes_text(kind: "Type") -> bool:
    """Whether a value of the type is written as it is; every other is JSON."""
    from loopy.types.model import Enum, Maybe, Scalar

    match kind:
        case Maybe(inner=inner):
            return takes_text(inner)
        case Enum():
            return True
        case Scalar(name=name):
            return name not in ("int", "float", "bool", "json")
        case _:
            return False


def _declaration(event: str, declared: "Fields") -> str:
    fields = ", ".join(
        f"{name}: {spec if isinstance(spec, str) else msgspec.json.encode(spec).decode()}"
        for name, spec in declared.items()
    )
    return f"{event} is {{ {fields} }}"
