"""A new plan is taken by all services of a process or by none."""

import asyncio

import pytest

from loopy.compiler.plan import Limits, Plan, plan_hash
from loopy.kit.current_plan import CurrentPlan, Take
from loopy.kit.errors import CannotStart

FIRST, SECOND, THIRD = (Plan(limits=Limits(cascade_hops=hops)) for hops in (1, 2, 3))


class Service:
    """What a service would do, noted."""

    def __init__(self, notes: list[str], name: str, refusing: Plan | None = None) -> None:
        self.plan = FIRST
        self._notes = notes
        self._name = name
        self._refusing = refusing

    async def prepare(self, plan: Plan) -> Take:
        await asyncio.sleep(0)
        self._notes.append(f"{self._name} prepares")
        if plan is self._refusing:
            raise CannotStart(f"{self._name} cannot")

        def take() -> None:
            self._notes.append(f"{self._name} takes")
            self.plan = plan

        return take


def current_of(*services: Service) -> CurrentPlan:
    current = CurrentPlan(FIRST)
    for service in services:
        current.prepared_by(service.prepare)
    return current


async def test_all_are_prepared_before_the_first_takes_the_plan() -> None:
    notes: list[str] = []
    current = current_of(Service(notes, "a"), Service(notes, "b"))
    await current.switch(SECOND)
    assert notes == ["a prepares", "b prepares", "a takes", "b takes"]
    assert (current.plan, current.hash) == (SECOND, plan_hash(SECOND))


async def test_what_one_refuses_is_taken_by_none() -> None:
    notes: list[str] = []
    a, b = Service(notes, "a"), Service(notes, "b", refusing=SECOND)
    current = current_of(a, b)
    with pytest.raises(CannotStart, match="b cannot"):
        await current.switch(SECOND)
    assert notes == ["a prepares", "b prepares"]
    assert [current.plan, a.plan, b.plan] == [FIRST, FIRST, FIRST]
    await current.switch(THIRD)
    assert [current.plan, a.plan, b.plan] == [THIRD, THIRD, THIRD]


async def test_the_plan_that_is_served_already_is_not_taken_again() -> None:
    notes: list[str] = []
    await current_of(Service(notes, "a")).switch(Plan(limits=Limits(cascade_hops=1)))
    assert notes == []


async def test_switches_wait_for_each_other() -> None:
    notes: list[str] = []
    current = current_of(Service(notes, "a"), Service(notes, "b"))
    await asyncio.gather(current.switch(SECOND), current.switch(THIRD))
    assert notes == ["a prepares", "b prepares", "a takes", "b takes"] * 2
    assert current.plan is THIRD
