"""Whatever types a step declares, a rehearsed answer settles."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from loopy.agents.output import settle
from loopy.agents.rehearsal import rehearse
from loopy.compiler.plan import Fields
from loopy.types import model
from tests.support.assignments import assigned

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
SCALARS = st.sampled_from([*model.SCALARS, "enum[pass, fail]", "enum[a]"])
SPECS: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        inner.filter(lambda spec: isinstance(spec, str)).map(lambda spec: f"list[{spec}]"),
        inner.filter(lambda spec: isinstance(spec, str)).map(lambda spec: f"map[{spec}]"),
        inner.filter(lambda spec: isinstance(spec, str) and not spec.endswith("?")).map(lambda spec: f"{spec}?"),
        st.dictionaries(NAMES.filter(lambda name: name != "type"), inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)
FIELDS: st.SearchStrategy[Fields] = st.dictionaries(NAMES, SPECS, max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)


@given(FIELDS, st.dictionaries(st.sampled_from(["WorkItem", "Shipped"]), FIELDS), st.dictionaries(NAMES, JSON))
def test_a_rehearsed_answer_settles_whatever_values_are_near(
    output: Fields, events: dict[str, Fields], inputs: dict[str, Any]
) -> None:
    assignment = assigned(output, events, inputs={"before": inputs, "skipped": None})
    answer, emitted = settle(assignment.step, events, rehearse(assignment))
    assert list(answer) == list(output)
    assert {emit.event for emit in emitted} == set(events)
