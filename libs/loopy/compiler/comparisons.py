"""Which values may be compared, in `when` and in `{% if %}` alike: the same rules, the same words."""

import re
from typing import Any, Literal, TypeAlias

import msgspec

from loopy.compiler.fault import Fault
from loopy.diagnostics.suggest import listed, nearest
from loopy.types.model import (
    BOOL,
    FLOAT,
    INT,
    STR,
    UNKNOWN,
    Enum,
    Fragment,
    ListOf,
    MapOf,
    Maybe,
    Record,
    Scalar,
    Type,
    Unknown,
)
from loopy.types.parse import print_type

_NUMBER = re.compile(r"-?\d+(\.\d+)?")

Operator: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in"]
Family: TypeAlias = Literal["number", "bool", "text", "datetime", "list", "map", "record", "null", "any"]


class Null(msgspec.Struct, frozen=True):
    """The type of the literal `null`, which is comparable with everything."""


class Operand(msgspec.Struct, frozen=True):
    """One side of a comparison, and where it stands. `items` are those of a list that is written out."""

    kind: Type | Null
    text: str
    start: int
    width: int
    literal: bool = False
    value: Any = None
    items: tuple["Operand", ...] | None = None


def literal_type(value: object) -> Type | Null:
    """The type of a literal, as far as it is one."""
    match value:
        case bool():
            return BOOL
        case int():
            return INT
        case float():
            return FLOAT
        case str():
            return STR
        case None:
            return Null()
        case _:
            return UNKNOWN


def comparison_fault(operator: Operator, left: Operand, right: Operand) -> Fault | None:
    """What is wrong with comparing these two, or None. Null is comparable with all: see `expressions`."""
    match operator:
        case "==" | "!=":
            return _equality(left, right)
        case "in" | "not in":
            return _membership(left, right)
        case _:
            return _order(operator, left, right)


def _equality(left: Operand, right: Operand) -> Fault | None:
    for field, literal in ((left, right), (right, left)):
        kind = _bare(field.kind)
        if isinstance(kind, Enum) and literal.literal and isinstance(literal.value, str):
            return None if literal.value in kind.members else _no_member(field, kind, literal)
        if family(kind) == "datetime" and isinstance(literal.value, str):
            return None if is_datetime(literal.value) else _no_datetime(literal)
    one, other = _bare(left.kind), _bare(right.kind)
    if isinstance(one, Enum) and isinstance(other, Enum) and not set(one.members) & set(other.members):
        return _incomparable(left, right, "they have no member in common")
    families = {family(one), family(other)} - {"any", "null"}
    return _incomparable(left, right) if len(families) > 1 else None


def _order(operator: Operator, left: Operand, right: Operand) -> Fault | None:
    for side, other in ((left, right), (right, left)):
        if family(_bare(side.kind)) == "datetime" and isinstance(other.value, str):
            return None if is_datetime(other.value) else _no_datetime(other)
    for side in (left, right):
        if family(_bare(side.kind)) not in ("number", "datetime", "any"):
            what = f"`{side.text}` is {_named(side.kind)}"
            headline = f"`{operator}` compares numbers and datetimes; {what}"
            return _fault(side, headline, "has no order", _quotes(left, right))
    return _equality(left, right)


def _membership(left: Operand, right: Operand) -> Fault | None:
    if right.items is not None:
        return next(filter(None, (_equality(left, item) for item in right.items)), None)
    kind = _bare(right.kind)
    match family(kind):
        case "any":
            return None
        case "list" if isinstance(kind, ListOf):
            return _equality(left, Operand(kind.item, f"an item of {right.text}", right.start, right.width))
        case "text" | "map" if not isinstance(kind, Enum):
            if family(_bare(left.kind)) in ("text", "any"):
                return None
            return _fault(left, f"`{left.text}` is {_named(left.kind)}; only a text can be in `{right.text}`")
        case _:
            return _fault(right, f"`in` looks into a list; `{right.text}` is {_named(right.kind)}", "not a list")


def family(kind: Type | Null) -> Family:
    """What a type is comparable with: the types of the same family."""
    match kind:
        case Null():
            return "null"
        case Scalar(name="int" | "float"):
            return "number"
        case Scalar(name="bool"):
            return "bool"
        case Scalar(name="datetime"):
            return "datetime"
        case Scalar(name="json") | Unknown() | Fragment():
            return "any"
        case Scalar() | Enum():
            return "text"
        case ListOf():
            return "list"
        case MapOf():
            return "map"
        case Record():
            return "record"
        case Maybe():
            return family(kind.inner)


def is_datetime(text: str) -> bool:
    """Whether the text is an RFC 3339 datetime with its zone."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _bare(kind: Type | Null) -> Type | Null:
    return kind.inner if isinstance(kind, Maybe) else kind


def _named(kind: Type | Null) -> str:
    return "null" if isinstance(kind, Null) else f"of type {print_type(kind)}"


def _no_member(field: Operand, kind: Enum, literal: Operand) -> Fault:
    near = nearest(literal.value, kind.members)
    return Fault(
        "LP612",
        f"`{field.text}` is one of {listed(kind.members)}; `{literal.value}` is not",
        literal.start,
        literal.width,
        label=f"no member of {print_type(kind)}",
        help=f"did you mean `{near}`?" if near else "",
    )


def _no_datetime(literal: Operand) -> Fault:
    headline = f"`{literal.value}` is not a datetime with its zone"
    return _fault(literal, headline, help_="write it as in `2026-01-31T09:00:00Z`")


def _incomparable(left: Operand, right: Operand, why: str = "") -> Fault:
    headline = f"`{left.text}` is {_named(left.kind)}, `{right.text}` is {_named(right.kind)}"
    end = max(left.start + left.width, right.start + right.width)
    start = min(left.start, right.start)
    return Fault(
        "LP613", headline, start, end - start, label=why or "these cannot be compared", help=_quotes(left, right)
    )


def _quotes(left: Operand, right: Operand) -> str:
    """The help when a number was put in quotation marks, or a text was not."""
    for field, literal in ((left, right), (right, left)):
        if not literal.literal or literal.value is None:
            continue
        if isinstance(literal.value, str) and family(_bare(field.kind)) == "bool":
            return "write `true` or `false`, without quotation marks"
        if isinstance(literal.value, str) and _is_number(family(_bare(field.kind)), literal.value):
            return f"write `{literal.value}` without quotation marks"
        if not isinstance(literal.value, str) and family(_bare(field.kind)) == "text":
            return f'write `"{literal.text}"`, in quotation marks'
    return ""


def _is_number(wanted: Family, text: str) -> bool:
    """Whether a text would be a number without its quotation marks, where one is wanted."""
    return wanted == "number" and _NUMBER.fullmatch(text) is not None


def _fault(side: Operand, headline: str, label: str = "", help_: str = "") -> Fault:
    return Fault("LP613", headline, side.start, side.width, label, help=help_)
