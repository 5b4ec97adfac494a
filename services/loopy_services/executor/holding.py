"""Working under a lease: renewed while the work goes on, and the work stopped at once when there is no sense in it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from loopy.bus.leases import Lease

RENEWALS = 3  # in the time of a lease, so that one that is late costs nothing

T = TypeVar("T")


class Stopped(Exception):
    """The work was ended before its end; nothing of it is to be recorded."""


class LeaseLost(Stopped):
    """Another has the lease."""


class Superseded(Stopped):
    """What the work is for is recorded already, or is not wanted any more."""


class Holding:
    """One lease while it is held. `superseded` says, each time it is asked, whether there is nothing left to do."""

    def __init__(self, lease: Lease, seconds: float, superseded: Callable[[], Awaitable[bool]]) -> None:
        self._lease = lease
        self._every_s = seconds / RENEWALS
        self._superseded = superseded

    async def work(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the work gives. LeaseLost or Superseded when it was stopped; then it has ended, with all it started.

        A process that stood still may have lost its lease without having noticed. So the work is not begun before the
        lease is known to last for a while, and what comes late is not given before it is known to be held.
        """
        if self._lease.age_s >= self._every_s:
            await self._confirm()
        working = asyncio.ensure_future(work())
        try:
            while not working.done() or self._lease.overdue:
                await asyncio.wait((working,), timeout=self._every_s)
                if not working.done() or self._lease.overdue:
                    await self._confirm()
            return working.result()
        finally:
            if not working.done():
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)

    async def _confirm(self) -> None:
        if not await self._lease.renew():
            raise LeaseLost
        if await self._superseded():
            raise Superseded
