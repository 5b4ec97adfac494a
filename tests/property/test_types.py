"""What holds of every type and value."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopy.types.check import Checker, Mismatch
from loopy.types.model import Record, Type
from loopy.types.parse import TypeSyntaxError, is_fragment, parse_type, print_type, spec_of, type_of
from loopy.types.sample import sample
from tests.property.strategies import lines, types

_anything: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.datetimes()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)


@given(lines())
def test_a_type_is_read_back_from_its_spelling(kind: Type) -> None:
    assert parse_type(print_type(kind)) == kind


@given(types())
def test_a_type_is_read_back_from_its_place_in_a_plan(kind: Type) -> None:
    spec = spec_of(kind)
    if isinstance(kind, Record) and isinstance(spec, dict) and is_fragment(spec):
        return  # a record that an author could not have written
    assert type_of(msgspec.json.decode(msgspec.json.encode(spec))) == kind


def _syntax_error(text: str) -> TypeSyntaxError | None:
    try:
        parse_type(text)
    except TypeSyntaxError as error:
        return error
    return None


@given(st.text(st.sampled_from("abenumlistrp[]?, \"'|\n")) | st.text())
def test_any_text_is_a_type_or_is_refused_at_a_place_inside_it(text: str) -> None:
    error = _syntax_error(text)
    if error is None:
        assert parse_type(print_type(parse_type(text))) == parse_type(text)
    else:
        assert 0 <= error.offset <= error.offset + error.width <= len(text)


@given(types(), st.text(max_size=20))
def test_a_sample_is_of_its_type_and_the_same_for_the_same_seed(kind: Type, seed: str) -> None:
    made = sample(kind, seed)
    assert sample(kind, seed) == made
    checked = Checker(kind).check(made)
    assert msgspec.json.decode(msgspec.json.encode(checked)) == checked


def _mismatch(kind: Type, value: Any) -> Mismatch | None:
    try:
        Checker(kind).check(value)
    except Mismatch as mismatch:
        return mismatch
    return None


@given(types(), _anything)
def test_any_value_is_taken_as_json_or_refused_with_reasons(kind: Type, value: Any) -> None:
    mismatch = _mismatch(kind, value)
    if mismatch is None:
        on_the_wire = msgspec.json.decode(msgspec.json.encode(Checker(kind).check(value)))
        assert Checker(kind).check(on_the_wire) == on_the_wire
    else:
        assert mismatch.problems
        assert str(mismatch)


@given(types(), st.text(max_size=5))
def test_what_was_checked_once_passes_unchanged(kind: Type, seed: str) -> None:
    checked = Checker(kind).check(sample(kind, seed))
    assert Checker(kind).check(checked) == checked


def test_a_record_refuses_what_is_not_a_map() -> None:
    with pytest.raises(Mismatch, match="expected a map"):
        Checker(Record(())).check([])
