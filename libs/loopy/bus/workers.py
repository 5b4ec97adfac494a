"""Work done side by side by workers that go on to the next piece: to start a task for each costs more than most do."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Workers(Generic[T]):
    """Begins each piece of work at once, in the order in which they are given; `work` is to raise nothing."""

    def __init__(self, work: Callable[[T], Awaitable[None]]) -> None:
        self._work = work
        self._given: deque[T] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._all: set[asyncio.Task[None]] = set()
        self._finishing = False

    def give(self, piece: T) -> None:
        """Have a piece of work done."""
        self._given.append(piece)
        if self._idle:
            _wake(self._idle.pop())
        else:
            worker = asyncio.create_task(self._go_on())
            self._all.add(worker)
            worker.add_done_callback(self._all.discard)

    async def finish(self, grace_s: float) -> None:
        """Return when all work is done; what is not within so many seconds is cancelled."""
        self._finishing = True
        for idle in self._idle:
            _wake(idle)
        workers = list(self._all)
        if workers:
            await asyncio.wait(workers, timeout=grace_s)
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _go_on(self) -> None:
        while True:
            while self._given:
                await self._work(self._given.popleft())
            if self._finishing:
                return
            idle = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            await idle


def _wake(idle: "asyncio.Future[None]") -> None:
    if not idle.done():
        idle.set_result(None)
