"""Values held against types."""

from datetime import UTC, datetime
from typing import Any

import pytest

from loopy.types.check import Checker, Mismatch, checker_of
from loopy.types.parse import parse_type

INCIDENT = {"title": "str", "link": "url", "source": "enum[sentry, linear]", "seen": "int?"}


def refused(kind: str, value: Any) -> str:
    with pytest.raises(Mismatch) as caught:
        Checker(parse_type(kind)).check(value)
    return str(caught.value)


def test_every_problem_of_a_record_is_named_at_once() -> None:
    with pytest.raises(Mismatch) as caught:
        checker_of(INCIDENT).check({"title": 5, "link": "x", "source": "jira", "sean": 1})
    assert [str(problem) for problem in caught.value.problems] == [
        "title: expected str, got int",
        "link: expected an absolute http(s) URL, got 'x'",
        "source: expected one of sentry, linear, got 'jira'",
        "sean: unknown field, did you mean `seen`?",
    ]


def test_what_was_left_out_is_missing_unless_it_is_optional() -> None:
    with pytest.raises(Mismatch, match="link: missing; source: missing"):
        checker_of(INCIDENT).check({"title": "a"})
    whole = {"title": "a", "link": "http://a", "source": "linear"}
    assert checker_of(INCIDENT).check(whole) == {**whole, "seen": None}


def test_a_checker_is_made_once_for_the_same_fields() -> None:
    assert checker_of(INCIDENT) is checker_of(dict(INCIDENT))


def test_times_become_rfc_3339_text() -> None:
    checker = checker_of({"at": "datetime"})
    assert checker.check({"at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}) == {"at": "2026-01-02T03:04:05Z"}
    assert checker.check({"at": "2026-01-02T03:04:05+02:00"}) == {"at": "2026-01-02T03:04:05+02:00"}


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("int", True, "expected int, got bool"),
        ("int", 2.5, "expected int, got 2.5"),
        ("int", "2", "expected int, got str"),
        ("int", 2**63, "64 bits"),
        ("float", float("nan"), "expected a finite float, got nan"),
        ("float", float("inf"), "got inf"),
        ("float", 10**400, "got an int of more than 64 bits"),
        ("bool", 1, "expected bool, got int"),
        ("str", None, "expected str, got null"),
        ("str", "\ud800", "half of a surrogate pair"),
        ("id", "", "an id: 1 to 256"),
        ("id", "a b", "an id: 1 to 256"),
        ("id", "a\n", "an id: 1 to 256"),
        ("id", "a\u00a0b", "an id: 1 to 256"),
        ("id", "a" * 257, "an id: 1 to 256"),
        ("url", "ftp://a", "http(s) URL"),
        ("url", "https:///path", "http(s) URL"),
        ("url", "https://a b", "http(s) URL"),
        ("url", "https://a\n", "http(s) URL"),
        ("datetime", "2026-01-02T03:04:05", "RFC 3339 time with zone"),
        ("datetime", 5, "RFC 3339 time with zone"),
        ("duration", "20 minutes", "a duration such as"),
        ("json", {"a": [float("nan")]}, "a[0]: expected a JSON value, got nan"),
        ("json", object(), "expected a JSON value, got object"),
        ("list[int]", 5, "expected list[int], got 5"),
        ("list[int]", [1, "a", 2, "b"], "[1]: expected int, got str; [3]: expected int, got str"),
        ("map[int]", {"a": 1, "b": None}, "b: expected int, got null"),
        ("map[int]", {1: 1}, "expected text as keys, got 1"),
        ("list[list[id]?]", [None, [" "]], "[1][0]: expected an id"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place_and_reason(kind: str, value: Any, reason: str) -> None:
    assert reason in refused(kind, value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("id", "a" * 256),
        ("id", "issue/1#2"),
        ("url", "HTTPS://example.com:8080/a?b=c#d"),
        ("duration", "90s"),
        ("json", {"a": [1, None, "x", {"b": True}]}),
        ("float", 1.5),
        ("map[list[int]]", {"a": [], "b": [1]}),
        ("str?", None),
    ],
)
def test_a_right_value_passes_unchanged(kind: str, value: Any) -> None:
    assert Checker(parse_type(kind)).check(value) == value


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert "nested" in refused("json", deep)


def test_a_long_value_is_clipped_in_the_reason() -> None:
    assert len(refused("url", "x" * 10_000)) < 200


def test_a_fragment_is_held_against_every_keyword() -> None:
    checker = checker_of({"tag": {"type": "string", "maxLength": 3, "pattern": "^v"}})
    assert checker.check({"tag": "v1"}) == {"tag": "v1"}
    with pytest.raises(Mismatch, match="tag: 'long' is too long; tag: 'long' does not match"):
        checker.check({"tag": "long"})


def test_problems_inside_a_fragment_have_their_path() -> None:
    checker = checker_of(
        {"box": {"type": "object", "properties": {"sizes": {"type": "array", "items": {"type": "integer"}}}}}
    )
    with pytest.raises(Mismatch, match=r"box\.sizes\[1\]: 'x' is not of type 'integer'"):
        checker.check({"box": {"sizes": [1, "x"]}})


def test_a_schema_that_refers_to_itself_without_end_is_a_reason_and_not_a_crash() -> None:
    with pytest.raises(Mismatch, match="nested too deeply"):
        checker_of({"a": {"$ref": "#"}}).check({"a": 1})


def test_a_schema_is_never_fetched() -> None:
    with pytest.raises(Mismatch, match="leads nowhere"):
        checker_of({"a": {"$ref": "http://127.0.0.1:1/schema"}}).check({"a": 1})
