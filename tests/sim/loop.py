"""An event loop whose time is a virtual clock: it never waits, it moves the clock on to whatever is due next."""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

from loopy.clock import VirtualClock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Stuck(Exception):
    """Everything waits, and nothing will ever happen."""


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop without files, sockets and threads. What it does follows from what it is given, in order.

    It has a queue and a heap of its own, since most of what a simulation costs is spent here.
    """

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock
        self._soon: deque[asyncio.Handle] = deque()
        self._later: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._timers = 0

    def time(self) -> float:
        """The clock's seconds."""
        return self._clock.monotonic()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call after whatever was to be called before."""
        handle = asyncio.Handle(callback, args, self, context)
        self._soon.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call at a time, and after whatever was to be called at that time before."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._timers += 1
        heapq.heappush(self._later, (when, self._timers, handle))
        return handle

    def _run_once(self) -> None:
        """Call what is to be called now; when there is nothing, let the time pass until something is due."""
        if not self._soon:
            self._let_time_pass()
        for _ in range(len(self._soon)):
            handle = self._soon.popleft()
            if not handle.cancelled():
                handle._run()

    def _let_time_pass(self) -> None:
        while self._later and self._later[0][2].cancelled():
            heapq.heappop(self._later)
        if not self._later:
            raise Stuck
        due = self._later[0][0]
        self._clock.advance(max(0.0, due - self.time()))
        while self._later and self._later[0][0] <= due:
            self._soon.append(heapq.heappop(self._later)[2])


def run_virtually(clock: VirtualClock, main: Coroutine[Any, Any, T]) -> T:
    """Run to the end, and drop whatever is still under way then."""
    loop = VirtualLoop(clock)
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()
