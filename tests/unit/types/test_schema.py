"""Types as JSON Schema: what a type accepts its schema accepts, and the schema refuses what is plainly wrong."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from loopy.types.check import checker_of
from loopy.types.parse import record_of
from loopy.types.sample import sample
from loopy.types.schema import json_schema

FIELDS: dict[str, Any] = {
    "text": "str",
    "count": "int",
    "share": "float",
    "is_so": "bool",
    "link": "url",
    "key": "id",
    "at": "datetime",
    "takes": "duration",
    "any": "json",
    "one": "enum[a, b]",
    "many": "list[int]",
    "by_name": "map[list[str]]",
    "perhaps": "str?",
    "inner": {"n": "int?"},
    "short": {"type": "string", "maxLength": 3},
}


@pytest.mark.parametrize("seed", range(20))
def test_what_the_type_accepts_the_schema_accepts(seed: int) -> None:
    kind = record_of(FIELDS)
    value = checker_of(FIELDS).check(sample(kind, str(seed)))
    Draft202012Validator(json_schema(kind)).validate(value)


@pytest.mark.parametrize(
    "wrong",
    [{"text": 1}, {"count": 1.5}, {"one": "c"}, {"many": ["x"]}, {"by_name": {"a": [1]}}, {"inner": {"m": 1}},
     {"short": "long"}, {"unknown": 1}, {"link": None}],
)  # fmt: skip
def test_what_is_plainly_wrong_is_refused(wrong: dict[str, Any]) -> None:
    kind = record_of(FIELDS)
    value = {**sample(kind, "x"), **wrong}
    assert not Draft202012Validator(json_schema(kind)).is_valid(value)


def test_optional_fields_are_not_required() -> None:
    schema = json_schema(record_of(FIELDS))
    assert "perhaps" not in schema["required"]
    assert set(schema["properties"]) == set(FIELDS)
