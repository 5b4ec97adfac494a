"""Patience: what the bus cannot do now is tried again, ever more slowly, until it can."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from loopy.bus.errors import StreamFull, Unavailable
from loopy.bus.transport import Transport

FIRST_DELAY_S = 0.05
LONGEST_DELAY_S = 2.0
TRIES_BEFORE_WARNING = 8
FULL_WARNING_S = 30.0

T = TypeVar("T")

_log = logging.getLogger("loopy.bus")
_told_full: dict[str, float] = {}  # when a process last told of a full stream, however many wait for its room


async def patiently(connection: Transport, attempt: Callable[[], Awaitable[T]], *, wait_for_room: bool = True) -> T:
    """The result of `attempt`, repeated while it is Unavailable; any other error is the caller's.

    So is StreamFull, unless there is to be waited for room.
    """
    delay, tries = FIRST_DELAY_S, 0
    while True:
        if not connection.connected:
            await connection.ready()
        try:
            return await attempt()
        except StreamFull as error:
            if not wait_for_room:
                raise
            _tell_full(error, asyncio.get_running_loop().time())
        except Unavailable as error:
            tries += 1
            if tries % TRIES_BEFORE_WARNING == 0:
                _log.warning("bus.waiting", extra={"tries": tries, "error": str(error)})
        await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311  jitter is no secret
        delay = min(delay * 2, LONGEST_DELAY_S)


def _tell_full(error: StreamFull, now: float) -> None:
    """Warn of a full stream, once in a while."""
    if not 0 <= now - _told_full.get(error.stream, -FULL_WARNING_S) < FULL_WARNING_S:
        _told_full[error.stream] = now
        _log.warning("bus.full", extra={"stream": error.stream, "error": str(error)})
