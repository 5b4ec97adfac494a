"""Whatever comes and goes, in whatever order and however often: a slot has no more holders than its limit."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from loopy.runs.slots import Place, Queue, entered, without

RUNS = st.sampled_from("abcdef")
CHANGES = st.lists(st.tuples(st.sampled_from(("enter", "leave")), RUNS, st.integers(0, 2)), max_size=40)


def changed(queue: Queue, change: tuple[str, str, int]) -> Queue:
    kind, run, epoch = change
    return entered(queue, Place(run, "w", epoch, 0), 1_000) if kind == "enter" else without(queue, run, epoch)


@given(CHANGES, st.integers(1, 3))
def test_no_more_hold_it_than_may_and_nobody_is_in_it_twice(changes: list[tuple[str, str, int]], limit: int) -> None:
    queue = Queue("n", "k", limit)
    for change in changes:
        queue = changed(queue, change)
        names = [place.run for place in queue.places]
        assert len(queue.holders) == min(limit, len(names))
        assert len(set(names)) == len(names)


@given(CHANGES, st.integers(1, 3))
def test_a_change_made_again_changes_nothing(changes: list[tuple[str, str, int]], limit: int) -> None:
    queue = Queue("n", "k", limit)
    for change in changes:
        queue = changed(queue, change)
        assert changed(queue, change) == queue


@given(CHANGES, st.integers(1, 3))
def test_nobody_is_overtaken_and_no_holder_loses_its_slot(changes: list[tuple[str, str, int]], limit: int) -> None:
    queue = Queue("n", "k", limit)
    for kind, run, epoch in changes:
        after = changed(queue, (kind, run, epoch))
        stayed = [place.run for place in queue.places if after.place_of(place.run)]
        assert [place.run for place in after.places if queue.place_of(place.run)] == stayed
        assert {p.run for p in queue.holders} - {run} <= {p.run for p in after.holders}
        queue = after


@given(CHANGES, st.lists(st.integers(1, 4), min_size=40, max_size=40))
def test_while_limits_change_nobody_is_let_in_beyond_the_one_that_counts(
    changes: list[tuple[str, str, int]], limits: list[int]
) -> None:
    queue, under_way = Queue("n", "k", 1), set[str]()
    for change, limit in zip(changes, limits, strict=False):
        queue = msgspec.structs.replace(changed(queue, change), limit=limit)
        under_way &= {place.run for place in queue.places}
        let_in = {place.run for place in queue.holders} - under_way
        under_way |= let_in
        assert not let_in or len(under_way) <= limit
