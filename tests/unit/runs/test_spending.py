"""What may be spent: which limit is reached, what is left, and on which day it counts."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from loopy.compiler.plan import Limits
from loopy.runs.spending import BILLION, Spent, billionths, day_of, excess, left, limits_spend

ALL = Limits(cascade_usd=50, day_usd=500, workflow_usd={"w": 20})


def spent(cascade: float = 0, run: float = 0, day: float = 0) -> Spent:
    return Spent(billionths(cascade), billionths(run), billionths(day), "2026-11-25")


@pytest.mark.parametrize(
    ("so_far", "limit", "said"),
    [
        (spent(50.2, 3, 60), "cascade_spend", "the cascade has spent 50.2 of 50 USD (limits.cascade.spend)"),
        (spent(20, 20, 60), "workflow_spend", "the run has spent 20 of 20 USD (limits.workflows.w.spend)"),
        (spent(1, 1, 500.05), "day_spend", "2026-11-25 (UTC) has spent 500.05 of 500 USD (limits.day.spend)"),
    ],
)
def test_a_limit_that_is_reached_is_named_with_its_amount(so_far: Spent, limit: str, said: str) -> None:
    found = excess(ALL, "w", so_far)
    assert found is not None
    assert (found.limit, found.detail) == (limit, said)


def test_what_is_below_every_limit_may_go_on() -> None:
    assert excess(ALL, "w", spent(49.9, 19.9, 499.9)) is None
    assert excess(ALL, "other", spent(49, 49, 49)) is None
    assert excess(Limits(), "w", spent(1e6, 1e6, 1e6)) is None


def test_an_attempt_may_spend_the_least_that_is_left_of_anything() -> None:
    assert left(ALL, "w", spent(40, 15, 100), None) == 5
    assert left(ALL, "w", spent(47, 15, 100), None) == 3
    assert left(ALL, "w", spent(40, 15, 499.5), 4) == 0.5
    assert left(ALL, "w", spent(), 4) == 4
    assert left(Limits(), "w", spent(), None) is None


def test_a_sum_is_exact_so_that_ten_dimes_are_a_dollar() -> None:
    dimes = Spent(sum(billionths(0.1) for _ in range(10)), 0, 0, "")
    assert dimes.cascade == BILLION
    assert excess(Limits(cascade_usd=1), "w", dimes) is not None


@pytest.mark.parametrize("usd", [float("nan"), float("inf"), -1.0, 0.0])
def test_what_is_no_amount_counts_as_nothing(usd: float) -> None:
    assert billionths(usd) == 0


def test_a_day_is_one_of_utc() -> None:
    late = datetime(2026, 11, 25, 23, 30, tzinfo=timezone(timedelta(hours=-2)))
    assert day_of(late) == "2026-11-26"
    assert day_of(datetime(2026, 11, 25, 23, 59, 59, tzinfo=UTC)) == "2026-11-25"


def test_limits_of_runs_and_hops_limit_no_spend() -> None:
    assert not limits_spend(Limits(cascade_runs=1, workflow_concurrency={"w": 1}))
    assert all(
        limits_spend(limits) for limits in (Limits(cascade_usd=1), Limits(day_usd=1), Limits(workflow_usd={"w": 1}))
    )
