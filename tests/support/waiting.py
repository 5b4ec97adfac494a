"""Waiting for a state instead of for a time."""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable

POLL_S = 0.005


async def wait_until(
    condition: Callable[[], bool | Awaitable[bool]],
    timeout: float = 10.0,  # noqa: ASYNC109  the wait itself is what is asked for
) -> None:
    """Return as soon as the condition holds; it may be a coroutine function. AssertionError after `timeout` seconds."""
    deadline = asyncio.get_running_loop().time() + timeout
    while True:
        holds = condition()
        if await holds if isawaitable(holds) else holds:
            return
        assert asyncio.get_running_loop().time() < deadline, f"still not so after {timeout:g} s"
        await asyncio.sleep(POLL_S)
