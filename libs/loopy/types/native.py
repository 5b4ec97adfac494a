"""Types as msgspec knows them: the structs and annotations that values are converted with."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal, assert_never

import msgspec
from msgspec import Meta

from loopy.types.duration import DURATION_PATTERN
from loopy.types.model import Enum, Fragment, ListOf, MapOf, Maybe, Record, Scalar, ScalarName, Type, Unknown

ID_MAX = 256
URL_MAX = 8192
URL_PATTERN = r"\A[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#\\\x00-\x20\x7f-\x9f]+[^\s\x00-\x20\x7f-\x9f]*\Z"
LARGEST = 1.7976931348623157e308

# Integers are those that every JSON reader of the bus can hold in 64 bits.
SCALAR_TYPES: dict[ScalarName, Any] = {
    "str": str,
    "int": Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
    "float": Annotated[float, Meta(ge=-LARGEST, le=LARGEST)],
    "bool": bool,
    "url": Annotated[
        str,
        Meta(
            max_length=URL_MAX,
            pattern=URL_PATTERN,
        ),
    ],
    "id": Annotated[str, Meta(min_length=1, max_length=ID_MAX, pattern=r"\A[^\s\x00-\x20\x7f-\x9f]+\Z")],
    "datetime": Annotated[datetime, Meta(tz=True)],
    "duration": Annotated[str, Meta(pattern=DURATION_PATTERN)],
    "json": Any,
}


def is_url(text: str) -> bool:
    """Whether `text` is an absolute http(s) URL."""
    return len(text) <= URL_MAX and re.search(URL_PATTERN, text) is not None


def native(kind: Type) -> Any:
    """What `msgspec.convert` takes for a type. A fragment is anything here: jsonschema holds values against it."""
    match kind:
        case Scalar():
            return SCALAR_TYPES[kind.name]
        case Enum():
            return Literal[kind.members]
        case ListOf():
            return list[native(kind.item)]  # type: ignore[misc]  # a type made at run time
        case MapOf():
            return dict[str, native(kind.value)]  # type: ignore[misc]  # a type made at run time
        case Maybe():
            return native(kind.inner) | None
        case Record():
            return _struct(kind)
        case Fragment() | Unknown():
            return Any
        case _ as never:
            assert_never(never)


def _struct(kind: Record) -> type[msgspec.Struct]:
    """A struct of a record's fields, unknown ones refused. Attributes are numbered: a field may be called `class`."""
    attributes: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        (f"f{index}", native(field), None) if isinstance(field, Maybe) else (f"f{index}", native(field))
        for index, (_, field) in enumerate(kind.fields)
    ]
    names = {f"f{index}": name for index, name in enumerate(kind.names)}
    return msgspec.defstruct("Record", attributes, kw_only=True, forbid_unknown_fields=True, rename=names, frozen=True)
