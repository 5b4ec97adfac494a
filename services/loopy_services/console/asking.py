"""What every path of the console needs: what a request says, and reading from the bus in time."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from litestar import Request, Response

from loopy.bus.client import BusError
from loopy.kit.problems import Problem
from loopy_services.console import core

READ_S = 5.0
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
    """What is read or written. Raises Problem 503 when the bus does not give it in time."""
    try:
        async with asyncio.timeout(READ_S):
            return await reading
    except (TimeoutError, BusError):
        raise Problem(503, "the bus cannot be read just now", headers=RETRY_AFTER) from None
