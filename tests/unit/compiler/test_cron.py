"""Schedules: what is wrong with one, and when it fires, clock changes included."""

from datetime import UTC, datetime, timedelta

import pytest

from loopy.compiler.cron import expression_problem, firings, next_firing, zone_problem

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(times: list[datetime]) -> list[str]:
    return [f"{time:%m-%dT%H:%M}" for time in times]


@pytest.mark.parametrize(
    "expression",
    ["0 9 * * *", "*/5 * * * mon-fri", "@daily", "0 0 29 2 *", "0 0 1,15 * *", "30 4 * jan,jul 7"],
)
def test_good_expressions_have_no_problem(expression: str) -> None:
    assert expression_problem(expression) is None


@pytest.mark.parametrize(
    ("expression", "zone", "says"),
    [
        ("0 9 * *", "UTC", "not 4"),
        ("0 0 0 9 * *", "UTC", "not 6"),
        ("", "UTC", "not 0"),
        ("61 * * * *", "UTC", "`61`"),
        ("* * * 13 *", "UTC", "month"),
        ("H * * * *", "UTC", "minute"),
        ("0 9 1-5/0 * *", "UTC", "day of the month"),
        ("0 0 31 2 *", "UTC", "never comes"),
        ("@reboot", "UTC", "@hourly"),
        ("*" * 5000, "UTC", "200"),
        ("0 9 * * *", "Europe/Berln", "did you mean `Europe/Berlin`"),
        ("0 9 * * *", "../etc/passwd", "no time zone"),
        ("0 9 * * *", "Europe", "no time zone"),
        ("0 9 * * *", "", "no time zone"),
    ],
)
def test_problems_name_what_is_wrong(expression: str, zone: str, says: str) -> None:
    problem = expression_problem(expression) or zone_problem(zone)
    assert problem is not None
    assert says in problem


def test_the_window_is_open_at_its_begin_and_closed_at_its_end() -> None:
    due = firings("0 * * * *", "UTC", at("2026-05-01T09:00"), at("2026-05-01T11:00"))
    assert shown(due) == ["05-01T10:00", "05-01T11:00"]
    assert all(time.tzinfo is UTC for time in due)


def test_local_time_is_kept_over_clock_changes() -> None:
    due = firings("0 9 * * *", BERLIN, at("2026-03-28T00:00"), at("2026-03-30T12:00"))
    assert shown(due) == ["03-28T08:00", "03-29T07:00", "03-30T07:00"]


def test_a_time_that_is_skipped_fires_at_the_change() -> None:
    due = firings("30 2 * * *", BERLIN, at("2026-03-28T12:00"), at("2026-03-30T12:00"))
    assert shown(due) == ["03-29T01:00", "03-30T00:30"]


def test_a_time_that_comes_twice_fires_once() -> None:
    due = firings("30 2 * * *", BERLIN, at("2026-10-24T12:00"), at("2026-10-26T12:00"))
    assert shown(due) == ["10-25T00:30", "10-26T01:30"]


def test_what_fires_in_every_hour_fires_in_the_repeated_one_too() -> None:
    due = firings("0 * * * *", BERLIN, at("2026-10-24T23:30"), at("2026-10-25T02:30"))
    assert shown(due) == ["10-25T00:00", "10-25T01:00", "10-25T02:00"]


def test_the_next_firing_is_later_than_now() -> None:
    now = at("2026-05-01T09:00")
    assert next_firing("0 9 * * *", "UTC", now) == now + timedelta(days=1)
    assert next_firing("0 9 * * *", "UTC", now - timedelta(seconds=1)) == now
