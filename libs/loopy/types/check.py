"""Values held against types: at every door of the system, a value of the wrong type is turned away, and told why."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from loopy.types.explain import Problem, explain
from loopy.types.model import Enum, Fragment, ListOf, MapOf, Maybe, Record, Scalar, Type, Unknown
from loopy.types.native import native
from loopy.types.parse import TypeSpec, record_of

__all__ = ["Checker", "Mismatch", "Problem", "checker_of"]

_CACHED = 512


class Mismatch(ValueError):
    """A value that is not of its type. `problems` has every reason, in the order of the type's fields."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


class Checker:
    """Holds values against one type. Making one builds msgspec structs: keep it, or ask `checker_of`."""

    def __init__(self, kind: Type) -> None:
        self.kind = kind
        self._native = native(kind)
        self._loose = any(_loose(kind))

    def check(self, value: Any) -> Any:
        """The value as JSON has it: datetimes as RFC 3339 text, optional fields left out as null. Mismatch."""
        try:
            converted = msgspec.to_builtins(msgspec.convert(value, self._native))
            msgspec.json.encode(converted)
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
            problems = tuple(explain(self.kind, value))
            raise Mismatch(problems or (Problem("", str(error)),)) from None
        if self._loose and (problems := tuple(explain(self.kind, converted))):
            raise Mismatch(problems)
        return converted


def checker_of(fields: Mapping[str, TypeSpec]) -> Checker:
    """The checker of a record of these fields, made once. TypeSyntaxError when a field's type cannot be read."""
    return _checker(msgspec.json.encode(fields))


@lru_cache(maxsize=_CACHED)
def _checker(fields: bytes) -> Checker:
    return Checker(record_of(msgspec.json.decode(fields)))


def _loose(kind: Type) -> Iterator[bool]:
    """Whether msgspec alone cannot tell if a value is of this type: fragments, and `json`, which may hold a NaN."""
    match kind:
        case ListOf():
            yield from _loose(kind.item)
        case MapOf():
            yield from _loose(kind.value)
        case Maybe():
            yield from _loose(kind.inner)
        case Record():
            for _, field in kind.fields:
                yield from _loose(field)
        case Scalar() | Enum():
            yield isinstance(kind, Scalar) and kind.name == "json"
        case Fragment() | Unknown():
            yield True
