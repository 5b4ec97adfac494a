"""An event loop whose time is a virtual clock: it never waits, it moves the clock on to whatever is due next."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

from loopy.clock import VirtualClock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# No two timers are due at the same instant: which of them a heap gives first would follow from what else is in it.
APART_S = 1e-10


class Stuck(Exception):
    """Everything waits, and nothing will ever happen."""


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop without files, sockets and threads. What it does follows from what it is given, in order."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._virtual = clock
        self._selector = self
        self._timers = 0

    def time(self) -> float:
        """The clock's seconds."""
        return self._virtual.monotonic()

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call at a time, and after whatever was to be called at that time before."""
        self._timers += 1
        return super().call_at(when + self._timers * APART_S, callback, *args, context=context)

    def select(self, wait_s: float | None) -> list[Any]:
        """Instead of waiting for files: let the time pass."""
        if wait_s is None:
            raise Stuck
        self._virtual.advance(wait_s)
        return []

    def _process_events(self, events: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody waits who could be woken."""


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
