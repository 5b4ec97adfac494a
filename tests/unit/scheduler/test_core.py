from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from loopy.compiler.plan import CronTrigger, PollSource
from loopy_services.scheduler.core import Due, digest, due, due_poll, next_look

HOURLY = "0 * * * *"
CatchUp = Literal["one", "all", "none"]
Overlap = Literal["skip", "queue", "allow"]


def at(clock: str, day: int = 22) -> datetime:
    return datetime.fromisoformat(f"2026-11-{day:02d}T{clock}Z").astimezone(UTC)


def hourly(catch_up: CatchUp = "one", overlap: Overlap = "skip") -> CronTrigger:
    return CronTrigger(HOURLY, catch_up=catch_up, overlap=overlap)


def test_before_its_time_nothing_is_due() -> None:
    for trigger in (hourly(), hourly("all"), hourly("none")):
        assert due(trigger, at("08:00:00"), at("08:59:59"), under_way=False).is_empty


@pytest.mark.parametrize("catch_up", ["one", "all", "none"])
def test_on_time_a_schedule_fires_once(catch_up: CatchUp) -> None:
    assert due(hourly(catch_up), at("08:00:00"), at("09:00:00"), under_way=False) == Due((at("09:00:00"),))
    assert due(hourly(catch_up), at("09:00:00"), at("09:00:01"), under_way=False).is_empty


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        ("one", Due((at("11:00:00"),), passed=at("10:00:00"))),
        ("all", Due((at("09:00:00"), at("10:00:00"), at("11:00:00")))),
        ("none", Due(passed=at("11:00:00"))),
    ],
)
def test_due_times_that_were_missed_are_made_up_for_as_catch_up_says(catch_up: CatchUp, expected: Due) -> None:
    assert due(hourly(catch_up), at("08:00:00"), at("11:30:00"), under_way=False) == expected


def test_without_catch_up_a_firing_that_is_a_little_late_is_still_on_time() -> None:
    expected = Due((at("09:00:00"),), passed=at("08:00:00"))
    assert due(hourly("none"), at("06:00:00"), at("09:00:59"), under_way=False) == expected


def test_all_means_at_most_the_newest_hundred() -> None:
    every_minute = CronTrigger("* * * * *", catch_up="all")
    found = due(every_minute, at("00:00:00", day=1), at("12:00:00"), under_way=False)
    assert len(found.fire) == 100
    assert (found.fire[0], found.fire[-1]) == (at("10:21:00"), at("12:00:00"))
    assert found.passed == at("10:20:00")


def test_a_yearly_schedule_is_made_up_for_after_months() -> None:
    yearly = CronTrigger("0 0 1 1 *")
    since, now = datetime(2025, 6, 1, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)
    assert due(yearly, since, now, under_way=False).fire == (datetime(2026, 1, 1, tzinfo=UTC),)


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        ("skip", Due(passed=at("09:00:00"))),
        ("queue", Due(held=True)),
        ("allow", Due((at("09:00:00"),))),
    ],
)
def test_while_the_last_run_is_under_way_overlap_decides(overlap: Overlap, expected: Due) -> None:
    assert due(hourly(overlap=overlap), at("08:00:00"), at("09:00:00"), under_way=True) == expected


def test_queued_firings_follow_each_other_one_run_at_a_time() -> None:
    trigger = hourly("all", "queue")
    first = due(trigger, at("08:00:00"), at("10:30:00"), under_way=False)
    assert first == Due((at("09:00:00"),), held=True)
    assert due(trigger, at("09:00:00"), at("10:30:00"), under_way=False) == Due((at("10:00:00"),))


def test_due_times_are_in_the_schedules_zone() -> None:
    berlin = CronTrigger("0 9 * * *", zone="Europe/Berlin")
    assert due(berlin, at("07:00:00"), at("08:00:00"), under_way=False) == Due((at("08:00:00"),))


def test_a_poll_is_due_at_multiples_of_its_period_and_only_the_newest_counts() -> None:
    source = PollSource(300)
    assert due_poll(source, at("09:00:00"), at("09:04:59")) is None
    assert due_poll(source, at("09:00:00"), at("09:05:00")) == at("09:05:00")
    assert due_poll(source, at("09:00:00"), at("09:31:00")) == at("09:30:00")
    assert due_poll(source, at("09:02:00"), at("09:05:00")) == at("09:05:00")


def test_the_next_look_is_at_the_next_due_time_but_never_far_off() -> None:
    now = at("08:59:50")
    assert next_look([hourly()], [], now, held=False) == at("09:00:00")
    assert next_look([], [PollSource(5)], now, held=False) == at("08:59:55")
    assert next_look([], [], now, held=False) == now + timedelta(seconds=30)
    assert next_look([hourly()], [], now, held=True) == now + timedelta(seconds=1)


def test_a_schedule_counts_anew_when_its_times_change_not_its_policies() -> None:
    assert digest(hourly()) == digest(hourly("all", "allow"))
    assert len({digest(d) for d in (hourly(), CronTrigger("1 * * * *"), CronTrigger(HOURLY, "Asia/Tokyo"))}) == 3
    assert digest(PollSource(60)) != digest(PollSource(61))
