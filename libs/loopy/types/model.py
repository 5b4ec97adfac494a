"""The types that authors write, as values. `parse` reads them, `check` holds values against them."""

from typing import Any, Literal, TypeAlias

import msgspec

ScalarName: TypeAlias = Literal["str", "int", "float", "bool", "url", "id", "datetime", "duration", "json"]
SCALARS: tuple[ScalarName, ...] = ("str", "int", "float", "bool", "url", "id", "datetime", "duration", "json")


class Scalar(msgspec.Struct, frozen=True):
    """`str int float bool url id datetime duration json`."""

    name: ScalarName


class Enum(msgspec.Struct, frozen=True):
    """`enum[a, b]`: one of these strings."""

    members: tuple[str, ...]


class ListOf(msgspec.Struct, frozen=True):
    """`list[T]`."""

    item: "Type"


class MapOf(msgspec.Struct, frozen=True):
    """`map[T]`: any string keys, values of one type."""

    value: "Type"


class Maybe(msgspec.Struct, frozen=True):
    """`T?`: a value or null; in a record the field may be absent."""

    inner: "Type"


class Record(msgspec.Struct, frozen=True):
    """A nested map of fields; exactly these names."""

    fields: tuple[tuple[str, "Type"], ...]

    def field(self, name: str) -> "Type | None":
        """The type of a field, or None when there is no such field."""
        return next((kind for key, kind in self.fields if key == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        """The fields' names, in the order of declaration."""
        return tuple(name for name, _ in self.fields)


class Fragment(msgspec.Struct, frozen=True):
    """A JSON Schema fragment, such as `{ type: string, maxLength: 80 }`."""

    schema: dict[str, Any]


class Unknown(msgspec.Struct, frozen=True):
    """The type of what could not be resolved: accepts everything, so that one mistake is reported once."""


Type: TypeAlias = Scalar | Enum | ListOf | MapOf | Maybe | Record | Fragment | Unknown

STR = Scalar("str")
INT = Scalar("int")
FLOAT = Scalar("float")
BOOL = Scalar("bool")
URL = Scalar("url")
ID = Scalar("id")
DATETIME = Scalar("datetime")
JSON = Scalar("json")
UNKNOWN = Unknown()

# What a cron trigger's event holds; `last_run` is the last firing whose run succeeded.
TICK = Record((("scheduled_at", DATETIME), ("last_run", Maybe(DATETIME))))
