"""The filters of prose: what each takes and gives. The list is fixed, so that a prompt is what its author sees."""

from collections.abc import Mapping, Sequence

import msgspec

from loopy.compiler.fault import Fault
from loopy.diagnostics.suggest import did_you_mean, listed
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


class Filter(msgspec.Struct, frozen=True):
    """`takes` names the values it works on (`any` holds null too), `parameters` its arguments in order."""

    takes: str
    gives: Type | None
    parameters: tuple[tuple[str, Type], ...] = ()
    needed: int = 0


FILTERS: dict[str, Filter] = {
    "default": Filter("any", None, (("value", UNKNOWN), ("boolean", BOOL)), needed=1),
    "tojson": Filter("any", STR, (("indent", INT),)),
    "join": Filter("a list", STR, (("separator", STR),)),
    "length": Filter("a list, a map or text", INT),
    "upper": Filter("text", STR),
    "lower": Filter("text", STR),
    "title": Filter("text", STR),
    "trim": Filter("text", STR, (("chars", STR),)),
    "truncate": Filter("text", STR, (("length", INT), ("killwords", BOOL), ("end", STR), ("leeway", INT))),
    "indent": Filter("text", STR, (("width", INT), ("first", BOOL), ("blank", BOOL))),
    "replace": Filter("text", STR, (("old", STR), ("new", STR), ("count", INT)), needed=2),
    "round": Filter("a number", FLOAT, (("precision", INT), ("method", STR))),
}


def filter_result(
    name: str, value: Type, arguments: Sequence[Type], keywords: Mapping[str, Type], start: int
) -> Type | Fault:
    """The type of `value | name(arguments)`, or what is wrong with it; `start` is the offset of the filter's name."""
    rule = FILTERS.get(name)
    if rule is None:
        help_ = did_you_mean(name, FILTERS) or f"the filters are {listed(FILTERS, at_most=len(FILTERS))}"
        return Fault("LP602", f"there is no filter `{name}`", start, len(name), "unknown filter", help=help_)
    if rule.takes == "any":
        problem = _arguments(name, rule, arguments, keywords)
        return Fault("LP603", problem, start, len(name)) if problem else _given(name, value, arguments, keywords)
    if isinstance(value, Maybe):
        help_ = f'write `… | default("…") | {name}`'
        return Fault(
            "LP606", f"`{name}` is given a value that may be null", start, len(name), "needs a value", help=help_
        )
    if not _takes(rule.takes, value):
        headline = f"`{name}` takes {rule.takes}, not a value of type {print_type(value)}"
        return Fault("LP603", headline, start, len(name))
    problem = _arguments(name, rule, arguments, keywords)
    return Fault("LP603", problem, start, len(name)) if problem else rule.gives or value


def _given(name: str, value: Type, arguments: Sequence[Type], keywords: Mapping[str, Type]) -> Type:
    """What `default` and `tojson` give."""
    if name == "tojson":
        return STR
    fallback = arguments[0] if arguments else keywords.get("value", UNKNOWN)
    inner = value.inner if isinstance(value, Maybe) else value
    if isinstance(inner, ListOf) and isinstance(fallback, ListOf):
        return inner
    return inner if inner == fallback or (_takes("text", inner) and fallback == STR) else UNKNOWN


def _arguments(name: str, rule: Filter, arguments: Sequence[Type], keywords: Mapping[str, Type]) -> str:
    """What is wrong with a filter's arguments, or an empty text."""
    parameters = dict(rule.parameters)
    if len(arguments) + len(keywords) < rule.needed or len(arguments) > len(parameters):
        written = ", ".join(parameters)
        return f"`{name}` is written `{name}({written})`" if parameters else f"`{name}` takes no arguments"
    given = list(zip(parameters, arguments, strict=False)) + list(keywords.items())
    for parameter, kind in given:
        if parameter not in parameters:
            return f"`{name}` has no argument `{parameter}`" + (f"; it has {listed(parameters)}" if parameters else "")
        if not _fits(kind, parameters[parameter]):
            return f"`{parameter}` of `{name}` is of type {print_type(parameters[parameter])}, not {print_type(kind)}"
    return ""


def _fits(kind: Type, wanted: Type) -> bool:
    if isinstance(wanted, Unknown) or isinstance(kind, Unknown) or kind == wanted:
        return True
    return wanted == STR and _takes("text", kind)


def _takes(what: str, kind: Type) -> bool:
    """Whether a value of this type is what a filter takes; a type that is not known may be anything."""
    match kind:
        case Unknown() | Fragment() | Scalar(name="json"):
            return True
        case Scalar(name="int" | "float"):
            return what == "a number"
        case Scalar(name="bool"):
            return False
        case Scalar() | Enum():
            return "text" in what
        case ListOf():
            return "list" in what
        case MapOf() | Record():
            return "map" in what
        case Maybe():
            return False
