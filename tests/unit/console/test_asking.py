"""What came of each, where the bus answers some and then no more."""

import asyncio
from typing import Any

import pytest

from loopy.bus.client import BusError
from loopy.kit.problems import Problem
from loopy_services.console.asking import NOT_TRIED, each_of, within, written


async def test_a_bus_that_does_not_answer_is_told_in_the_row_and_the_other_rows_stand() -> None:
    tried: list[str] = []

    async def store(identity: str) -> dict[str, Any]:
        tried.append(identity)
        if identity == "b":
            await written(_lost())
        await asyncio.sleep(0)
        return {"run": identity, "record": "RunPaused"}

    first, second, third = await each_of("run", ["a", "b", "c"], store, at_once=1)
    assert first == {"run": "a", "record": "RunPaused"}
    assert second["run"] == "b"
    assert "may be stored or not" in second["error"]
    assert third == {"run": "c", "error": NOT_TRIED}
    assert tried == ["a", "b"]


async def test_what_was_under_way_beside_it_has_its_own_row() -> None:
    begun, lost = asyncio.Event(), asyncio.Event()

    async def store(identity: str) -> dict[str, Any]:
        if identity == "a":
            await begun.wait()
            lost.set()
            await written(_lost())
        begun.set()
        await lost.wait()
        return {"run": identity, "record": "RunPaused"}

    rows = await each_of("run", ["a", "b"], store, at_once=2)
    assert ["error" in row for row in rows] == [True, False]


async def test_a_read_that_is_not_answered_is_said_to_be_none() -> None:
    with pytest.raises(Problem) as problem:
        await within(_lost())
    assert (problem.value.status, problem.value.detail) == (503, "the bus cannot be read just now")


async def _lost() -> None:
    raise BusError("no answer")
