"""Types as authors write them, and what is said of those that are none."""

import pytest

from loopy.types.duration import seconds_of
from loopy.types.model import INT, STR, URL, Enum, Fragment, ListOf, MapOf, Maybe, Record
from loopy.types.parse import (
    TypeSpec,
    TypeSyntaxError,
    is_fragment,
    parse_type,
    print_type,
    record_of,
    spec_of,
    type_of,
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("str", STR),
        (" url? ", Maybe(URL)),
        ("enum[pass, fail]", Enum(("pass", "fail"))),
        ("enum[in progress,done]", Enum(("in progress", "done"))),
        ("list[map[int]]", ListOf(MapOf(INT))),
        ("list[enum[a]?]?", Maybe(ListOf(Maybe(Enum(("a",)))))),
        ("list[\n  str\n]", ListOf(STR)),
    ],
)
def test_a_type_is_read(text: str, kind: object) -> None:
    assert parse_type(text) == kind


@pytest.mark.parametrize(
    ("text", "where", "suggestion", "message"),
    [
        ("string", "string", "str", "no type `string`"),
        ("Integer", "Integer", "int", "no type `Integer`"),
        ("strr", "strr", "str", "no type `strr`"),
        ("list[boolean]", "boolean", "bool", "no type `boolean`"),
        ("frobnicate", "frobnicate", None, "no type `frobnicate`"),
        ("List[str]", "List", "list", "no type `List[…]`"),
        ("Optional[str]", "Optional", "str?", "written with `?`"),
        ("str | None", "| None", "str?", "written with `?`"),
        ("str[]", "str[]", "list[str]", "a list is written"),
        ("str[int]", "[", None, "`str` takes no `[…]`"),
        ("list", "list", "list[str]", "`list` needs `[…]`"),
        ("list[]", "]", None, "a type is missing"),
        ("list[str", "[", None, "never closed"),
        ("enum[a", "[", None, "never closed"),
        ("enum[a,", "[", None, "never closed"),
        ("list[str]]", "]", None, "closes nothing"),
        ("map[str, int]", ",", None, "take one type"),
        ("enum[]", "[]", None, "at least one member"),
        ("enum[a,,b]", ",", None, "a member is missing"),
        ("enum[a, b, a]", "a", None, "a member already"),
        ('enum["a"]', '"a"', "a", 'without `"`'),
        ("int??", "?", None, "written once"),
        ("int str", "str", None, "does not belong"),
        ("", "", None, "a type is missing"),
        ("list[" * 40 + "str" + "]" * 40, "[", None, "at most 32 deep"),
    ],
)
def test_what_is_no_type_is_refused_at_the_exact_word(
    text: str, where: str, suggestion: str | None, message: str
) -> None:
    with pytest.raises(TypeSyntaxError) as caught:
        parse_type(text)
    error = caught.value
    assert text[error.offset : error.offset + error.width] == where
    assert message in error.message
    assert error.suggestion == suggestion


def test_an_enum_of_many_thousand_members_is_read_in_no_time() -> None:
    members = ", ".join(f"m{index}" for index in range(50_000))
    kind = parse_type(f"enum[{members}]")
    assert isinstance(kind, Enum)
    assert len(kind.members) == 50_000


def test_a_nested_map_is_a_record_and_a_schema_is_a_fragment() -> None:
    fields: dict[str, TypeSpec] = {"who": {"name": "str", "age": "int?"}, "size": {"type": "integer", "minimum": 1}}
    kind = record_of(fields)
    assert kind == Record(
        (("who", Record((("name", STR), ("age", Maybe(INT))))), ("size", Fragment({"type": "integer", "minimum": 1})))
    )
    assert spec_of(kind) == fields
    assert type_of(spec_of(kind)) == kind


@pytest.mark.parametrize(
    ("spec", "fragment"),
    [
        ({"type": "string"}, True),
        ({"type": ["string", "null"]}, True),
        ({"enum": ["a"]}, True),
        ({"$ref": "#"}, True),
        ({"anyOf": [{"type": "string"}]}, True),
        ({"type": "str"}, False),
        ({"type": "enum[a]", "name": "str"}, False),
        ({"enum": "str"}, False),
        ({}, False),
    ],
)
def test_a_record_may_have_fields_that_are_called_like_keywords_of_a_schema(
    spec: dict[str, object], fragment: bool
) -> None:
    assert is_fragment(spec) is fragment


def test_a_type_is_shown_on_one_line() -> None:
    assert print_type(ListOf(Record(()))) == "list[record]"
    assert print_type(Maybe(Fragment({}))) == "schema?"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("20m", 1200), ("2h", 7200), ("1d", 86400), ("1.5h", 5400), ("20", None), ("m", None), ("-1s", None)],
)
def test_a_duration_has_a_unit(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds
