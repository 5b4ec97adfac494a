"""Made-up values."""

import pytest

from loopy.types.check import Checker
from loopy.types.fragment import fragment_problem
from loopy.types.fragment_sample import NoSample
from loopy.types.model import Fragment
from loopy.types.parse import parse_type, record_of
from loopy.types.sample import sample


def test_values_are_believable_and_walk_the_good_path() -> None:
    kind = record_of(
        {"goal_id": "id", "link": "url", "verdict": "enum[pass, fail]", "merged": "bool", "root_cause": "str"}
    )
    made = sample(kind, "run-1")
    assert made["goal_id"].startswith("goal-")
    assert made["link"].startswith("https://example.com/link/")
    assert made["verdict"] == "pass"
    assert made["merged"] is True
    assert made["root_cause"].startswith("rehearsed root cause ")


def test_other_runs_have_other_values() -> None:
    assert sample(parse_type("id"), "run-1") != sample(parse_type("id"), "run-2")


def test_the_items_of_a_list_differ() -> None:
    first, second = sample(parse_type("list[str]"), "run-1")
    assert first != second


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 400},
        {"type": "string", "maxLength": 2},
        {"type": "integer", "minimum": 5, "maximum": 5},
        {"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 7},
        {"type": "number", "minimum": 0.25, "maximum": 0.5},
        {"type": "number", "maximum": -3},
        {"type": "array", "minItems": 2, "items": {"enum": ["a", "b"]}},
        {"type": "array", "minItems": 3, "uniqueItems": True, "items": {"type": "integer"}},
        {"allOf": [{"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}]},
        {"oneOf": [{"type": "integer"}, {"type": "string"}]},
        {"type": "string", "pattern": "^x+$", "default": "xx"},
        {"type": "object", "required": ["a"], "properties": {"a": {"type": "array"}}},
        {"$defs": {"tree": {"type": "object"}}, "$ref": "#/$defs/tree"},
    ],
)
def test_a_fragment_is_honoured(schema: dict[str, object]) -> None:
    assert fragment_problem(schema) is None
    kind = Fragment(schema)
    Checker(kind).check(sample(kind, "run-1"))


def test_a_fragment_that_nothing_can_be_made_for_says_what_to_do() -> None:
    with pytest.raises(NoSample, match=r"rehearsal/<workflow>/<step>\.json"):
        sample(Fragment({"type": "string", "pattern": "^[0-9]{4}-x$"}), "run-1")


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "strin"}, "type: 'strin'"),
        ({"type": "string", "maxLength": "x"}, "maxLength"),
        ({"type": "string", "pattern": "("}, "regex"),
        ({"$ref": "https://example.com/schema.json"}, "schemas are not fetched"),
        ({"anyOf": [{"$ref": "other.json"}]}, "schemas are not fetched"),
    ],
)
def test_what_is_no_schema_is_told_when_it_is_read(schema: dict[str, object], problem: str) -> None:
    assert problem in (fragment_problem(schema) or "")
