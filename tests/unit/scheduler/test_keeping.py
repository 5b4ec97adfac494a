"""Which runs are due to be archived, and which of their messages go."""

from datetime import UTC, datetime, timedelta

import pytest

from loopy.bus.archive import Archive
from loopy.bus.messages import Message
from loopy.runs.lateness import LATE, is_late
from loopy_services.scheduler.keeping import (
    LONGEST_SLEEP,
    PRESSED_AT,
    PRESSED_KEEP,
    SHORTEST_SLEEP,
    expendable,
    is_due,
    is_pressed,
    kept_for,
    until_next,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


def fact(sequence: int, kind: str, rest: str = "r._") -> Message:
    return Message("RUN", f"ns.run.{kind}.{rest}", b"{}", {}, sequence, NOW)


def test_a_run_is_kept_for_the_grace_and_not_a_moment_longer() -> None:
    assert not is_due(NOW - MONTH + timedelta(seconds=1), NOW, MONTH)
    assert is_due(NOW - MONTH, NOW, MONTH)


@pytest.mark.parametrize(
    ("fullness", "kept"),
    [([0.0, PRESSED_AT - 0.01], MONTH), ([0.1, PRESSED_AT], PRESSED_KEEP), ([1.0], PRESSED_KEEP), ([], MONTH)],
)
def test_runs_go_earlier_when_one_of_their_streams_fills_up(fullness: list[float], kept: timedelta) -> None:
    assert kept_for(MONTH, pressed=is_pressed(fullness)) == kept


def test_pressure_keeps_nothing_longer_than_the_grace() -> None:
    assert kept_for(timedelta(minutes=1), pressed=True) == timedelta(minutes=1)


def test_it_looks_again_when_the_next_run_is_due_but_not_all_the_time_nor_hardly_ever() -> None:
    in_ten_s = NOW - MONTH + timedelta(seconds=10)
    assert until_next(in_ten_s, NOW, MONTH) == timedelta(seconds=10)
    assert until_next(NOW - MONTH, NOW, MONTH) == SHORTEST_SLEEP
    assert until_next(NOW, NOW, MONTH) == LONGEST_SLEEP
    assert until_next(None, NOW, MONTH) == LONGEST_SLEEP
    assert until_next(None, NOW, timedelta(seconds=5)) == timedelta(seconds=5)


def test_what_goes_is_what_the_archive_holds_but_for_start_and_end_and_what_the_event_led_to() -> None:
    journal = [fact(1, "routed", "r.e1"), fact(2, "start"), fact(3, "result", "r.a.0.1"), fact(5, "end")]
    archive = Archive("r", 5, NOW, tuple(journal))
    late = fact(9, "result", "r.b.0.1")
    assert expendable(archive, [*journal, late]) == [journal[2]]


@pytest.mark.parametrize("other", [fact(4, "result", "r.a.0.1"), fact(3, "result", "r.b.0.1")])
def test_what_lies_elsewhere_than_the_archive_says_stays(other: Message) -> None:
    assert expendable(Archive("r", 5, NOW, (fact(3, "result", "r.a.0.1"),)), [other]) == []


def test_what_was_long_under_way_is_late_before_any_run_is_archived() -> None:
    assert not is_late(NOW - LATE, NOW)
    assert is_late(NOW - LATE - timedelta(seconds=1), NOW)
    assert LATE * 2 < PRESSED_KEEP
