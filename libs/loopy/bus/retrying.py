"""Patience: what the bus cannot do now is tried again, ever more slowly, until it can."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from loopy.bus.errors import Unavailable
from loopy.bus.transport import Transport

FIRST_DELAY_S = 0.05
LONGEST_DELAY_S = 2.0
TRIES_BEFORE_WARNING = 8

T = TypeVar("T")

_log = logging.getLogger("loopy.bus")


async def patiently(connection: Transport, attempt: Callable[[], Awaitable[T]]) -> T:
    """The result of `attempt`, repeated while it is Unavailable; any other error is the caller's."""
    delay, tries = FIRST_DELAY_S, 0
    while True:
        await connection.ready()
        try:
            return await attempt()
        except Unavailable as error:
            tries += 1
            if tries % TRIES_BEFORE_WARNING == 0:
                _log.warning("bus.waiting", extra={"tries": tries, "error": str(error)})
        await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311  jitter is no secret
        delay = min(delay * 2, LONGEST_DELAY_S)
