"""Whoever is given deliveries without a gap in their numbers is given all."""

from hypothesis import given
from hypothesis import strategies as st

from loopy.bus.incoming import Place
from loopy.bus.unbroken import UNKNOWN, Unbroken
from tests.support.facts import NOW


def place(number: int, sequence: int, deliveries: int = 1) -> Place:
    return Place("RUN", deliveries, sequence, number, NOW, 0)


def test_without_a_gap_everything_is_known_from_the_first_delivery_on() -> None:
    unbroken = Unbroken()
    assert [unbroken.note(place(number, 10 + number), 0) for number in (7, 8, 9)] == [17, 17, 17]


def test_what_went_to_somebody_else_makes_it_begin_anew() -> None:
    unbroken = Unbroken()
    unbroken.note(place(1, 10), 0)
    assert unbroken.note(place(3, 12), 0) == 12
    assert unbroken.note(place(4, 13), 0) == 12


def test_after_a_gap_a_repetition_says_nothing_of_what_was_delivered_meanwhile() -> None:
    unbroken = Unbroken()
    unbroken.note(place(1, 10), 0)
    assert unbroken.note(place(9, 4, deliveries=2), 0) == UNKNOWN
    assert unbroken.note(place(10, 30), 0) == 30


def test_a_repetition_leaves_no_gap() -> None:
    unbroken = Unbroken()
    unbroken.note(place(1, 10), 0)
    assert unbroken.note(place(2, 10, deliveries=2), 0) == 10


def test_a_number_of_another_era_follows_none_of_this() -> None:
    unbroken = Unbroken()
    unbroken.note(place(1, 10), 0)
    assert unbroken.note(place(2, 14), 1) == 14


@given(st.lists(st.booleans(), max_size=40))
def test_of_what_is_claimed_to_be_known_nothing_is_missing(ours: list[bool]) -> None:
    unbroken, seen = Unbroken(), set()
    for index, is_ours in enumerate(ours):
        number, sequence = index + 1, (index + 1) * 3
        if is_ours:
            seen.add(sequence)
            since = unbroken.note(place(number, sequence), 0)
            assert seen >= set(range(since, sequence + 1, 3))
