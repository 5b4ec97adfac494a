"""Calling an author's code: every shape of function, and none that can hold up or end who calls it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from loopy_services.ingress import calls
from loopy_services.ingress.calls import Caller, TooMany, TooSlow
from tests.support.waiting import wait_until


@pytest.fixture
def caller() -> Iterator[Caller]:
    caller = Caller(most=3)
    yield caller
    caller.close()


async def one(argument: Any) -> Any:
    return argument


async def several(argument: Any) -> AsyncIterator[int]:
    for number in range(argument):
        yield number


@pytest.mark.parametrize(
    ("function", "argument", "items"),
    [
        (lambda x: None, 0, []),
        (lambda x: x, 7, [7]),
        (lambda x: x, "text", ["text"]),
        (lambda x: x, {"a": 1}, [{"a": 1}]),
        (lambda x: x, [1, 2], [1, 2]),
        (lambda x: x, (1,), [1]),
        (lambda x: iter(range(x)), 2, [0, 1]),
        (lambda x: iter(int, 1), 0, [0] * 4),
        (one, None, []),
        (one, 7, [7]),
        (one, [1, 2], [1, 2]),
        (several, 2, [0, 1]),
        (several, 99, [0, 1, 2, 3]),
    ],
)
async def test_whatever_shape_an_answer_has_it_is_a_list(
    caller: Caller, function: Callable[[Any], Any], argument: Any, items: list[Any]
) -> None:
    assert await caller.call(function, argument, timeout_s=5) == items


@pytest.mark.parametrize("error", [KeyError("x"), TimeoutError("theirs"), AssertionError()])
async def test_what_a_function_raises_comes_to_the_caller(caller: Caller, error: Exception) -> None:
    def raising(argument: Any) -> None:
        raise error

    async def raising_later(argument: Any) -> None:
        raise error

    for function in (raising, raising_later):
        with pytest.raises(type(error)):
            await caller.call(function, None, timeout_s=5)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, StopIteration])
async def test_what_would_end_a_thread_or_a_loop_ends_only_the_call(caller: Caller, error: type[BaseException]) -> None:
    def raising(argument: Any) -> None:
        raise error

    async def raising_later(argument: Any) -> None:
        raise error

    for function in (raising, raising_later):
        with pytest.raises(RuntimeError, match=r"StopIteration|it raised"):
            await caller.call(function, None, timeout_s=5)
    assert await caller.call(one, 1, timeout_s=5) == [1]


async def test_a_slow_call_is_given_up_and_the_next_one_is_served(caller: Caller) -> None:
    forever = threading.Event()
    cancelled = threading.Event()

    async def waits(argument: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    for function in (lambda x: forever.wait(), waits):
        with pytest.raises(TooSlow, match=r"longer than 0\.05 s"):
            await caller.call(function, None, timeout_s=0.05)
    assert await caller.call(one, 1, timeout_s=5) == [1]
    assert cancelled.wait(5)
    forever.set()


async def test_calls_that_never_end_cannot_use_up_the_machine(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MOST_THREADS", 2)
    forever = threading.Event()
    for expected in (TooSlow, TooSlow, TooMany):
        with pytest.raises(expected):
            await caller.call(lambda x: forever.wait(), None, timeout_s=0.02)
    forever.set()

    async def served() -> bool:
        try:
            return await caller.call(lambda x: x, 1, timeout_s=5) == [1]
        except TooMany:
            return False

    await wait_until(served)
