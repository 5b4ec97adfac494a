"""The events of a project's registry as Python classes: `from loopy.events import Incident`.

The module is empty until `bind` is given the registry's events; a service does so before it loads sensors. Type
checkers and editors read the stubs that `loopy compile` writes.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from loopy.diagnostics.suggest import did_you_mean
from loopy.types.check import Mismatch, checker_of
from loopy.types.parse import TypeSpec

__all__ = ["TypedEvent", "bind"]

_bound: dict[str, type["TypedEvent"]] = {}


class TypedEvent:
    """An event of a registered type, checked when it is made: TypeError names the field that is wrong.

    `event_type` is the type's name, `event_data` the fields as JSON has them (times as RFC 3339 text). Each field is an
    attribute too.
    """

    event_type: ClassVar[str] = ""
    _fields: ClassVar[Mapping[str, TypeSpec]] = {}
    event_data: dict[str, Any]

    def __init__(self, *values: object, **fields: object) -> None:
        if values:
            raise TypeError(
                f"{self.event_type} takes its fields by name: {self.event_type}({_signature(self._fields)})"
            )
        try:
            self.event_data = checker_of(self._fields).check(fields)
        except Mismatch as mismatch:
            raise TypeError(f"{self.event_type}: {mismatch}") from None

    def __getattr__(self, name: str) -> Any:
        """A field's value, as JSON has it."""
        try:
            return self.__dict__["event_data"][name]
        except KeyError:
            raise AttributeError(f"{self.event_type} has no field {name!r}") from None

    def __eq__(self, other: object) -> bool:
        """Two events of one type with the same fields."""
        if not isinstance(other, TypedEvent):
            return NotImplemented
        return self.event_type == other.event_type and self.event_data == other.event_data

    def __hash__(self) -> int:
        """By type and fields."""
        return hash((self.event_type, msgspec.json.encode(self.event_data, order="sorted")))

    def __repr__(self) -> str:
        """As it would be written."""
        return f"{self.event_type}({', '.join(f'{name}={value!r}' for name, value in self.event_data.items())})"


def bind(events: Mapping[str, Mapping[str, TypeSpec]]) -> None:
    """Make the module hold a class for each of these events (name → field types), and for no other.

    A name with dots, such as `Billing.InvoicePaid`, becomes `Billing_InvoicePaid`. TypeSyntaxError when a field's type
    cannot be read.
    """
    for fields in events.values():
        checker_of(fields)
    _bound.clear()
    for name, fields in events.items():
        _bound[class_name(name)] = _class(name, fields)


def class_name(event: str) -> str:
    """What the class of an event is called in this module."""
    return event.replace(".", "_")


def _class(name: str, fields: Mapping[str, TypeSpec]) -> type[TypedEvent]:
    content = {"event_type": name, "_fields": dict(fields), "__module__": __name__, "__doc__": f"The event {name}."}
    return type(class_name(name), (TypedEvent,), content)


def _signature(fields: Mapping[str, TypeSpec]) -> str:
    return ", ".join(f"{name}=…" for name in fields)


def __getattr__(name: str) -> Any:
    """The class of a registered event. ImportError says what there is: `from … import` shows no other message."""
    if name in _bound:
        return _bound[name]
    if name.startswith("__"):
        raise AttributeError(name)
    if not _bound:
        raise ImportError(
            f"loopy.events has no {name!r} yet: a project's events are known once `loopy run` or `loopy serve` has "
            "read its registry.yml; in a test, call `loopy.events.bind(…)` first"
        )
    hint = did_you_mean(name, _bound) or f"there are {', '.join(sorted(_bound))}"
    raise ImportError(f"registry.yml has no event {name!r}: {hint}")
