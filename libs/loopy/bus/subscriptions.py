"""Watching a subject, message by message, and the end of subscriptions."""

import asyncio
import contextlib
import logging

import nats.errors

from loopy.bus.transport import Subscription
from loopy.bus.wire import Arrived

DRAIN_TIMEOUT_S = 2
MOST_WAITING = 1 << 17

_log = logging.getLogger("loopy.bus")


class Watch:
    """What a subject's watcher has yet to take. Of one who is too slow the newest are dropped, and that is logged."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._waiting: asyncio.Queue[Arrived | None] = asyncio.Queue()

    def receive(self, message: Arrived) -> None:
        """Keep a message until it is taken."""
        if self._waiting.qsize() < MOST_WAITING:
            self._waiting.put_nowait(message)
        else:
            _log.error("bus.error", extra={"subject": self._subject, "error": "it is watched too slowly"})

    def end(self) -> None:
        """Nothing comes any more."""
        self._waiting.put_nowait(None)

    async def next(self) -> Arrived | None:
        """The next message; None at the end."""
        return await self._waiting.get()


async def unsubscribe(subscription: Subscription, *, drain: bool = False) -> None:
    """End a subscription, with `drain` after all that the server had sent was received."""
    with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
        if drain:
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                await subscription.drain()
        else:
            await subscription.unsubscribe()
