"""What a query asks for."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopy.runs.records import Outcome
from loopy.runs.summary import RunSummary
from loopy_services.console import core


def run(number: int, workflow: str, outcome: Outcome | None) -> RunSummary:
    return RunSummary(str(number), workflow, "e", "E", "e", datetime(2026, 3, 1, tzinfo=UTC), outcome)


RUNS = [run(3, "a", None), run(2, "b", "failed"), run(1, "a", "succeeded")]


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ({}, ["3", "2", "1"]),
        ({"limit": "1"}, ["3"]),
        ({"workflow": "a"}, ["3", "1"]),
        ({"outcome": "failed"}, ["2"]),
        ({"outcome": "running"}, ["3"]),
        ({"workflow": "a", "outcome": "succeeded", "limit": "500"}, ["1"]),
        ({"workflow": "none"}, []),
    ],
)
def test_the_runs_that_are_asked_for(query: dict[str, str], chosen: list[str]) -> None:
    assert [found.run for found in core.run_query(query).answer(RUNS)] == chosen


def test_more_is_looked_at_only_when_some_are_asked_for() -> None:
    assert core.run_query({"limit": "7"}).scanned == 7
    assert core.run_query({"limit": "7", "workflow": "a"}).scanned == core.SCANNED


@given(st.integers(1, 500))
def test_a_limit_is_read(limit: int) -> None:
    assert core.limit_of({"limit": str(limit)}) == limit


@given(st.text(max_size=8).filter(lambda text: not (text.isascii() and text.isdigit())))
def test_what_is_no_number_is_no_limit(text: str) -> None:
    with pytest.raises(core.QueryError, match="limit must be a whole number from 1 to 500"):
        core.limit_of({"limit": text})


@given(st.text(max_size=30))
def test_nothing_that_could_select_several_runs_is_a_runs_id(text: str) -> None:
    if core.is_run_id(text):
        assert not set(text) - set("0123456789abcdef")
