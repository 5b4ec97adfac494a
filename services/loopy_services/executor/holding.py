"""Working under a lease: renewed while the work goes on, and the work stopped at once when there is no sense in it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

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
        self._turn = asyncio.Lock()

    async def work(self, work: Callable[[], Awaitable[T]], record: Callable[[T], Awaitable[object]]) -> None:
        """Work, and record what the work gives. LeaseLost or Superseded when it was stopped; then it has ended, with
        all it started.

        The lease is renewed until the record is stored: else another would do the work again that is done.
        """
        await self._confirm_after(self._every_s)
        working = asyncio.ensure_future(self._recorded(work, record))
        try:
            while not working.done():
                await asyncio.wait((working,), timeout=self._every_s)
                if not working.done():
                    await self._confirm_after(self._every_s / 2)
            working.result()
        finally:
            if not working.done():
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
            elif not working.cancelled():
                working.exception()  # it may have failed of itself, as the lease was found lost here

    async def _recorded(self, work: Callable[[], Awaitable[T]], record: Callable[[T], Awaitable[object]]) -> None:
        """A process that stood still may have lost its lease without having noticed: what the work gives is not
        recorded before the lease is known to be held."""
        given = await work()
        while self._lease.overdue:
            await self._confirm_after(self._every_s)
        await record(given)

    async def _confirm_after(self, age_s: float) -> None:
        """Renew the lease if it is so old, and ask whether the work is still wanted."""
        async with self._turn:
            if self._lease.age_s < age_s:
                return
            if not await self._lease.renew():
                raise LeaseLost
            if await self._superseded():
                raise Superseded
