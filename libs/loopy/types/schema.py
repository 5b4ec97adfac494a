"""Types as JSON Schema (draft 2020-12), for whoever is to produce a value: a model, a tool's caller.

A schema says a little less than the type does: what a pattern cannot tell is told by the check of the value.
"""

from typing import Any, assert_never

from loopy.types.model import Enum, Fragment, ListOf, MapOf, Maybe, Record, Scalar, ScalarName, Type, Unknown
from loopy.types.native import ID_MAX, URL_MAX

_SCALARS: dict[ScalarName, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "url": {"type": "string", "maxLength": URL_MAX, "description": "an absolute http or https URL"},
    "id": {"type": "string", "minLength": 1, "maxLength": ID_MAX, "description": "an id, without spaces"},
    "datetime": {"type": "string", "format": "date-time", "description": "RFC 3339, with a zone"},
    "duration": {"type": "string", "description": "a number and one of s, m, h, d: `90s`, `20m`"},
    "json": {},
}


def json_schema(kind: Type) -> dict[str, Any]:
    """The schema of a type's values."""
    match kind:
        case Scalar():
            return dict(_SCALARS[kind.name])
        case Enum():
            return {"type": "string", "enum": list(kind.members)}
        case ListOf():
            return {"type": "array", "items": json_schema(kind.item)}
        case MapOf():
            return {"type": "object", "additionalProperties": json_schema(kind.value)}
        case Maybe():
            return {"anyOf": [json_schema(kind.inner), {"type": "null"}]}
        case Record():
            return _record(kind)
        case Fragment():
            return dict(kind.schema)
        case Unknown():
            return {}
        case _ as never:
            assert_never(never)


def _record(kind: Record) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: json_schema(field) for name, field in kind.fields},
        "required": [name for name, field in kind.fields if not isinstance(field, Maybe)],
        "additionalProperties": False,
    }
