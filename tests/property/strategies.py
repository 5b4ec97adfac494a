"""Types as Hypothesis draws them."""

from hypothesis import strategies as st

from loopy.types.model import SCALARS, Enum, Fragment, ListOf, MapOf, Maybe, Record, Scalar, Type

_member = st.text(st.characters(categories=("L", "N"), include_characters="_-. /:"), min_size=1, max_size=12)
_scalar: st.SearchStrategy[Type] = st.sampled_from([Scalar(name) for name in SCALARS])
_enum: st.SearchStrategy[Type] = st.lists(_member.map(str.strip).filter(bool), min_size=1, max_size=4, unique=True).map(
    lambda members: Enum(tuple(members))
)
_NAMES = ["title", "link", "root_cause", "issue_id", "items", "type", "class", "x"]


def _optional(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    return inner.map(lambda kind: kind if isinstance(kind, Maybe) else Maybe(kind))


def lines() -> st.SearchStrategy[Type]:
    """Types that are written on one line."""
    return st.recursive(
        st.one_of(_scalar, _enum),
        lambda inner: st.one_of(inner.map(ListOf), inner.map(MapOf), _optional(inner)),
        max_leaves=6,
    )


_FRAGMENTS: list[dict[str, object]] = [
    {"type": "string", "minLength": 3, "maxLength": 8},
    {"type": "string", "format": "date-time"},
    {"type": "integer", "minimum": 7, "maximum": 9},
    {"type": "integer", "multipleOf": 12, "minimum": 1},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"enum": ["low", "high"]},
    {"const": 4},
    {"type": "boolean"},
    {"type": ["null", "string"]},
    {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3},
    {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True},
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b"]},
    {"$defs": {"n": {"type": "integer"}}, "type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}},
    {"type": "string", "pattern": "^v[0-9]+$", "examples": ["v1"]},
]


def types() -> st.SearchStrategy[Type]:
    """Every type that a registry can hold."""
    fields = st.one_of(lines(), st.sampled_from(_FRAGMENTS).map(Fragment))
    return st.recursive(
        fields,
        lambda inner: st.lists(
            st.tuples(st.sampled_from(_NAMES), inner), max_size=4, unique_by=lambda field: field[0]
        ).map(lambda found: Record(tuple(found))),
        max_leaves=8,
    )
