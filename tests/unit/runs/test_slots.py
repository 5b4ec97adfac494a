"""Slots: who holds one, who waits, and what a run must hold."""

import msgspec
import pytest

from loopy.compiler.plan import Concurrency, Limits, Plan, Workflow
from loopy.runs.records import Slot
from loopy.runs.slots import Place, Queue, UnusableKey, entered, limits_of, slots_of, without
from tests.support.facts import event, plan, step, workflow

EMPTY = Queue("deploys", "acme", 2)


def queue(*runs: str, limit: int = 2) -> Queue:
    filled = Queue("deploys", "acme", limit)
    for run in runs:
        filled = entered(filled, Place(run, "w", 0, 0), 100)
    return filled


def runs(of: tuple[Place, ...]) -> list[str]:
    return [place.run for place in of]


def with_concurrency(name: str, key: str = "", limit: int = 1, of: str = "w") -> Workflow:
    return msgspec.structs.replace(workflow(step("a"), name=of), concurrency=Concurrency(name, key, limit))


def test_the_first_in_the_queue_hold_the_slot() -> None:
    assert runs(queue("a", "b", "c").holders) == ["a", "b"]
    assert runs(without(queue("a", "b", "c"), "a", 0).holders) == ["b", "c"]


def test_one_that_waits_may_go_too() -> None:
    assert runs(without(queue("a", "b", "c", "d"), "c", 0).places) == ["a", "b", "d"]


def test_who_is_in_it_already_keeps_the_place() -> None:
    filled = queue("a", "b", "c")
    assert entered(filled, Place("a", "w", 0, 9), 100) is filled


def test_a_run_that_was_resumed_keeps_its_place_and_a_late_release_does_not_take_it() -> None:
    resumed = entered(queue("a", "b", "c"), Place("a", "w", 1, 9), 100)
    assert (runs(resumed.places), resumed.places[0].epoch, resumed.places[0].ticket) == (["a", "b", "c"], 1, 0)
    assert without(resumed, "a", 0) == resumed
    assert runs(without(resumed, "a", 1).places) == ["b", "c"]


def test_what_was_asked_for_in_an_earlier_epoch_changes_nothing() -> None:
    resumed = entered(EMPTY, Place("a", "w", 2, 0), 100)
    assert entered(resumed, Place("a", "w", 1, 9), 100) is resumed


def test_a_full_queue_takes_no_more() -> None:
    full = queue("a", "b", "c")
    assert entered(full, Place("d", "w", 0, 0), 3) is full


def test_a_lowered_limit_lets_nobody_follow_before_enough_have_gone() -> None:
    lowered = msgspec.structs.replace(queue("a", "b", "c", "d", limit=3), limit=1)
    assert runs(without(lowered, "a", 0).holders) == ["b"]
    assert runs(without(without(lowered, "b", 0), "c", 0).holders) == ["a"]


def slots(of: Plan, name: str = "w", **data: object) -> tuple[Slot, ...]:
    return slots_of(of, name, event(data=data or {"title": "boom"}))


def test_a_run_takes_the_slot_of_its_key_and_then_that_of_its_workflow() -> None:
    of = plan(with_concurrency("zoo", "{{ event.title }}", 3), limits=Limits(workflow_concurrency={"w": 4, "v": 1}))
    assert slots(of) == (Slot("zoo", "boom", 3), Slot("workflow:w", "", 4))
    of = plan(with_concurrency("ape"), limits=Limits(workflow_concurrency={"w": 4}))
    assert slots(of) == (Slot("ape", "", 1), Slot("workflow:w", "", 4))
    assert slots(plan(workflow(step("a")))) == ()


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("{{ event.title | round }}", "cannot be made of the event: "),
        ("{{ event.title.a.b }}", "cannot be made of the event: "),
        ("{{ event.long }}", "would have 201 characters; it may have 200"),
    ],
)
def test_a_key_that_cannot_be_made_says_why(key: str, why: str) -> None:
    with pytest.raises(UnusableKey, match=why):
        slots(plan(with_concurrency("deploys", key)), title="boom", long="x" * 201)


def test_of_workflows_that_share_a_name_the_fewest_count() -> None:
    both = plan(with_concurrency("deploys", limit=3), with_concurrency("deploys", limit=2, of="v"))
    assert limits_of(both) == {"deploys": 2}
    assert limits_of(plan(workflow(step("a")), limits=Limits(workflow_concurrency={"w": 4}))) == {"workflow:w": 4}
