"""Fields and their types, as outputs and events declare them."""

import re
from collections.abc import Collection

from loopy.project.model import FieldDecl, Located
from loopy.project.shapes import Shapes
from loopy.project.tree import Entry, Items, Lost, Pairs, Text, Tree, described, plain_value
from loopy.project.yamlwords import OF_RECORDS
from loopy.types.fragment import fragment_problem
from loopy.types.grammar import Fault, TypeSyntaxError
from loopy.types.model import UNKNOWN, Fragment, Record, Type
from loopy.types.parse import is_fragment, parse_type

_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_CODES: dict[Fault, str] = {"name": "LP501", "form": "LP502", "enum": "LP503"}
_LABELS: dict[Fault, str] = {"name": "unknown type", "form": "here", "enum": "in this enum"}
_FIELDS_WANTED = "a map of fields and their types"


def read_fields(shapes: Shapes, entry: Entry) -> tuple[FieldDecl, ...]:
    """The fields of `output:`, or of an event."""
    pairs = shapes.pairs(entry, _FIELDS_WANTED)
    return fields_of(shapes, pairs) if pairs else ()


def fields_of(shapes: Shapes, pairs: Pairs) -> tuple[FieldDecl, ...]:
    """The fields of a map; a field whose type is wrong has the unknown type."""
    return tuple(_field(shapes, entry) for entry in pairs.entries if _well_named(shapes, entry))


def _field(shapes: Shapes, entry: Entry) -> FieldDecl:
    return FieldDecl(Located(entry.key.text, entry.key.span), read_type(shapes, entry), entry.place)


def _well_named(shapes: Shapes, entry: Entry) -> bool:
    name = entry.key.text
    if _FIELD.fullmatch(name):
        return True
    field, _, rest = name.partition(":")
    if rest and _FIELD.fullmatch(field):
        shapes.report("LP505", f"`{field}:` needs a space after the colon", entry.key.span, f"write `{field}: {rest}`")
    else:
        hint = "a field is a letter, then letters, digits or `_`; at most 64"
        shapes.report("LP505", f"`{name}` cannot be the name of a field", entry.key.span, "not a name", hint=hint)
    return False


def read_type(shapes: Shapes, entry: Entry) -> Type:
    """The type of a field, in any of its spellings; UNKNOWN after it has been reported."""
    value: Tree = entry.value
    match value:
        case Text() if not value.is_null:
            return _written(shapes, value)
        case Pairs():
            return _nested(shapes, entry, value)
        case Lost():
            return UNKNOWN
        case Text() | Items():
            _no_type(shapes, entry)
            return UNKNOWN


def _written(shapes: Shapes, text: Text) -> Type:
    try:
        return parse_type(text.text)
    except TypeSyntaxError as error:
        hint = f"did you mean `{error.suggestion}`?" if error.suggestion else ""
        span = text.part(error.offset, error.width)
        shapes.report(_CODES[error.fault], error.message, span, _LABELS[error.fault], hint=hint)
        return UNKNOWN


def _nested(shapes: Shapes, entry: Entry, pairs: Pairs) -> Type:
    plain = plain_value(pairs)
    if not is_fragment(plain):
        return Record(tuple((field.name.value, field.type) for field in fields_of(shapes, pairs)))
    if problem := fragment_problem(plain):
        shapes.report("LP504", f"`{entry.key.text}` is not a valid JSON Schema: {problem}", pairs.span, "this schema")
        return UNKNOWN
    return Fragment(plain)


def _no_type(shapes: Shapes, entry: Entry) -> None:
    if isinstance(entry.value, Items) and any(isinstance(item, Pairs) for item in entry.value.items):
        hint = OF_RECORDS
    elif isinstance(entry.value, Items) and (members := _members(entry.value.items)):
        hint = f"did you mean `{entry.key.text}: enum[{', '.join(members)}]`?"
    else:
        hint = f"write a type, such as `{entry.key.text}: str`"
    found = "has no type" if entry.place is entry.key.span else f"must have a type, not {described(entry.value)}"
    shapes.report("LP502", f"`{entry.key.text}` {found}", entry.place, "expected a type", hint=hint)


def _members(items: Collection[Tree]) -> list[str]:
    return [item.text for item in items if isinstance(item, Text)]
