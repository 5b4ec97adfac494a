"""Why a value is not of its type: every reason, each with the path to the part that is wrong."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, assert_never

import msgspec

from loopy.diagnostics.suggest import nearest
from loopy.types.fragment import violations
from loopy.types.model import Enum, Fragment, ListOf, MapOf, Maybe, Record, Scalar, ScalarName, Type, Unknown
from loopy.types.native import ID_MAX, SCALAR_TYPES
from loopy.types.parse import print_type

MAX_DEPTH = 64
_SHOWN = 60

_WANTED: dict[ScalarName, str] = {
    "str": "str",
    "int": "int (64 bits)",
    "float": "a finite float",
    "bool": "bool",
    "url": "an absolute http(s) URL",
    "id": f"an id: 1 to {ID_MAX} characters, no white space or control characters",
    "datetime": "an RFC 3339 time with zone, such as 2026-01-31T09:00:00Z",
    "duration": "a duration such as 90s, 20m, 2h or 1d",
    "json": "a JSON value",
}


class Problem(msgspec.Struct, frozen=True):
    """One reason. `path` leads from the value to the part, like `items[2].name`; it is empty for the value itself."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


def explain(kind: Type, value: Any, path: str = "") -> Iterator[Problem]:
    """Every problem of a value, none when it is of the type. The value may be anything that Python can hold."""
    match kind:
        case Scalar(name="json") | Unknown():
            yield from _json(value, path, 0)
        case Scalar():
            yield from _scalar(kind.name, value, path)
        case Enum():
            if not isinstance(value, str) or value not in kind.members:
                yield Problem(path, f"expected one of {', '.join(kind.members)}, got {shown(value)}")
        case ListOf():
            yield from _list(kind, value, path)
        case MapOf():
            yield from _map(kind, value, path)
        case Maybe():
            if value is not None:
                yield from explain(kind.inner, value, path)
        case Record():
            yield from _record(kind, value, path)
        case Fragment():
            yield from _fragment(kind, value, path)
        case _ as never:
            assert_never(never)


def shown(value: Any) -> str:
    """A value as an error names it: clipped, and by its type where it is a container."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "…")
        case int() if abs(value) >= 2**64:
            return "an int of more than 64 bits"
        case int() | float():
            return str(value)
        case _:
            return _kind_of(value)


def _scalar(name: ScalarName, value: Any, path: str) -> Iterator[Problem]:
    try:
        msgspec.convert(value, SCALAR_TYPES[name])
        if isinstance(value, str):
            value.encode()
    except UnicodeEncodeError:
        yield Problem(path, "holds half of a surrogate pair, which is no character")
    except (msgspec.ValidationError, ValueError, OverflowError):
        yield Problem(path, _unwanted(name, value))


def _unwanted(name: ScalarName, value: Any) -> str:
    """`expected str, got int`: a wrong type by its name, a wrong value by itself."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in ("int", "float") and number:
        return f"expected {name if isinstance(value, float) and name == 'int' else _WANTED[name]}, got {shown(value)}"
    if name in ("str", "int", "float", "bool"):
        return f"expected {name}, got {_kind_of(value)}"
    return f"expected {_WANTED[name]}, got {shown(value) if isinstance(value, str) else _kind_of(value)}"


def _kind_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case Mapping():
            return "a map"
        case list() | tuple():
            return "a list"
        case _:
            return type(value).__name__


def _list(kind: ListOf, value: Any, path: str) -> Iterator[Problem]:
    if not isinstance(value, list | tuple):
        yield Problem(path, f"expected {print_type(kind)}, got {shown(value)}")
        return
    for index, item in enumerate(value):
        yield from explain(kind.item, item, f"{path}[{index}]")


def _map(kind: MapOf, value: Any, path: str) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield Problem(path, f"expected {print_type(kind)}, got {shown(value)}")
        return
    for key, item in value.items():
        if isinstance(key, str):
            yield from explain(kind.value, item, _below(path, key))
        else:
            yield Problem(path, f"expected text as keys, got {shown(key)}")


def _record(kind: Record, value: Any, path: str) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        wanted = f"a map with {', '.join(kind.names)}" if kind.names else "a map"
        yield Problem(path, f"expected {wanted}, got {shown(value)}")
        return
    for name, field in kind.fields:
        if name in value:
            yield from explain(field, value[name], _below(path, name))
        elif not isinstance(field, Maybe):
            yield Problem(_below(path, name), "missing")
    for name in value:
        if name not in kind.names:
            meant = nearest(str(name), kind.names)
            hint = f", did you mean `{meant}`?" if meant else ""
            yield Problem(_below(path, str(name)), f"unknown field{hint}")


def _fragment(kind: Fragment, value: Any, path: str) -> Iterator[Problem]:
    problems = tuple(_json(value, path, 0))
    yield from problems
    if not problems:
        for below, reason in violations(kind, value):
            yield Problem((path + below).removeprefix("."), reason)


def _json(value: Any, path: str, depth: int) -> Iterator[Problem]:
    """What keeps a value from being JSON: a NaN, half a surrogate pair, an object of Python's own."""
    if depth > MAX_DEPTH:
        yield Problem(path, f"nested deeper than {MAX_DEPTH}")
        return
    match value:
        case None | bool():
            return
        case str():
            yield from _scalar("str", value, path)
        case int():
            yield from _scalar("int", value, path)
        case float():
            if not math.isfinite(value):
                yield Problem(path, f"expected a JSON value, got {value}")
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _json(item, f"{path}[{index}]", depth + 1)
        case Mapping():
            for key, item in value.items():
                yield from _json(item, _below(path, str(key)), depth + 1)
        case _:
            yield from _foreign(value, path)


def _foreign(value: Any, path: str) -> Iterator[Problem]:
    """A Python object: fine when msgspec has a JSON form of it (a datetime, say)."""
    try:
        msgspec.to_builtins(value)
    except (TypeError, ValueError):
        yield Problem(path, f"expected a JSON value, got {type(value).__name__}")


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
