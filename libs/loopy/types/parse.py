"""Types as authors write them: `enum[a, b]`, `list[T]`, `map[T]`, `T?`, a nested map, a JSON Schema fragment."""

from collections.abc import Mapping
from typing import Any, TypeAlias, assert_never

from loopy.types.grammar import TypeSyntaxError, TypeText
from loopy.types.model import SCALARS, Enum, Fragment, ListOf, MapOf, Maybe, Record, Scalar, Type, Unknown

__all__ = ["TypeSpec", "TypeSyntaxError", "is_fragment", "parse_type", "print_type", "record_of", "spec_of", "type_of"]

TypeSpec: TypeAlias = str | dict[str, Any]

_SCHEMA_TYPES = frozenset(("string", "integer", "number", "boolean", "array", "object", "null"))


def parse_type(text: str) -> Type:
    """The type that `text` spells. TypeSyntaxError."""
    if text in SCALARS:
        return Scalar(text)
    return TypeText(text).whole()


def type_of(spec: TypeSpec) -> Type:
    """The type of a plan's or registry's spelling: text, a nested map, or a JSON Schema fragment. TypeSyntaxError."""
    match spec:
        case str():
            return parse_type(spec)
        case dict():
            return Fragment(spec) if is_fragment(spec) else record_of(spec)
        case _ as never:
            assert_never(never)


def record_of(fields: Mapping[str, TypeSpec]) -> Record:
    """The record of these fields. TypeSyntaxError."""
    return Record(tuple((name, type_of(spec)) for name, spec in fields.items()))


def spec_of(kind: Type) -> TypeSpec:
    """The spelling of a type; `type_of` reads it back as the same type."""
    match kind:
        case Record():
            return {name: spec_of(field) for name, field in kind.fields}
        case Fragment():
            return kind.schema
        case _:
            return print_type(kind)


def print_type(kind: Type) -> str:
    """A type on one line, for a person: what the author writes, or `record` and `schema` where that is a map."""
    match kind:
        case Scalar():
            return kind.name
        case Enum():
            return f"enum[{', '.join(kind.members)}]"
        case ListOf():
            return f"list[{print_type(kind.item)}]"
        case MapOf():
            return f"map[{print_type(kind.value)}]"
        case Maybe():
            return f"{print_type(kind.inner)}?"
        case Record():
            return "record"
        case Fragment():
            return "schema"
        case Unknown():
            return "json"
        case _ as never:
            assert_never(never)


def is_fragment(spec: Mapping[str, Any]) -> bool:
    """True of a map that is a JSON Schema fragment and not a record of fields.

    A field may well be called `type` or `enum`: what decides is that the value is one only a schema has there.
    """
    kind = spec.get("type")
    named = kind in _SCHEMA_TYPES if isinstance(kind, str) else isinstance(kind, list)
    listed = any(isinstance(spec.get(key), list) for key in ("enum", "anyOf", "oneOf", "allOf"))
    return named or listed or "$ref" in spec or "const" in spec
