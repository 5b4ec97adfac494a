"""What every path of the console needs: what a request says, and reading from the bus in time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from litestar import Request, Response

from loopy.bus.client import BusError
from loopy.kit.problems import Problem
from loopy_services.console import core

READ_S = 5.0
NOT_TRIED = "it was not tried: before it the bus did not answer in time"
RETRY_AFTER = {"Retry-After": "5"}

T = TypeVar("T")
AnyRequest: TypeAlias = Request[Any, Any, Any]
Answer: TypeAlias = Response[Any]


def query_of(request: AnyRequest) -> dict[str, str]:
    """The parameters in the address."""
    return dict(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True))


async def given(request: AnyRequest) -> dict[str, Any]:
    """The parameters in the address and in the body. Raises QueryError."""
    return core.given_in(query_of(request), await request.body())


async def within(reading: Awaitable[T]) -> T:
    """What is read. Raises Problem 503 when the bus does not give it in time."""
    return await _in_time(reading, "the bus cannot be read just now")


async def written(writing: Awaitable[T]) -> T:
    """What came of a write. Raises Problem 503 when the bus does not say so in time: it may have it all the same."""
    return await _in_time(
        writing, "the bus did not answer in time; this may be stored or not: look before you repeat it"
    )


async def _in_time(asking: Awaitable[T], otherwise: str) -> T:
    try:
        async with asyncio.timeout(READ_S):
            return await asking
    except (TimeoutError, BusError):
        raise Problem(503, otherwise, headers=RETRY_AFTER) from None


async def each_of(
    name: str, identities: Sequence[str], act: Callable[[str], Awaitable[dict[str, Any]]], *, at_once: int
) -> list[dict[str, Any]]:
    """What came of it for each of these, in their order; where the bus did not answer, that is the `error` of its row.

    From then on nothing more is begun: who asked shall not wait for one timeout after another.
    """
    turn, away = asyncio.Semaphore(at_once), asyncio.Event()

    async def one(identity: str) -> dict[str, Any]:
        async with turn:
            if away.is_set():
                return {name: identity, "error": NOT_TRIED}
            try:
                return await act(identity)
            except Problem as problem:
                away.set()
                return {name: identity, "error": problem.detail}

    return await asyncio.gather(*map(one, identities))
