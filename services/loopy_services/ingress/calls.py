"""Calling an author's code so that it cannot hold up the server: no call runs on the server's event loop.

A synchronous function runs in a thread of its own; asynchronous ones share an event loop in one other thread. A call
that takes longer than it may is given up: an asynchronous one is cancelled, a thread is left to end when it will
(Python cannot end one) and does not keep the process alive.
"""

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future
from itertools import islice
from typing import Any, TypeAlias

Function: TypeAlias = Callable[[Any], Any]

ENDING_S = 1.0
MOST_THREADS = 64


class TooSlow(Exception):
    """A call took longer than it may."""


class TooMany(Exception):
    """So many calls that were given up are still running that no more are begun."""


class Caller:
    """Calls functions; made once a service, closed at its end."""

    def __init__(self, most: int) -> None:
        """`most` items are taken of a generator, and one more that shows that there were more."""
        self._most = most + 1
        self._threads: set[threading.Thread] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sensors", daemon=True)
        self._thread.start()

    async def call(self, function: Function, argument: Any, *, timeout_s: float) -> list[Any]:
        """What the function gives, as a list: nothing for None, each item of a generator or list, or the one thing.

        Raises the exception that the function raises, TooSlow, and TooMany.
        """
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            pending = asyncio.run_coroutine_threadsafe(self._collected(function, argument), self._loop)
        else:
            pending = self._in_thread(lambda: self._listed(function(argument)))
        answer = asyncio.wrap_future(pending)
        done, _ = await asyncio.wait({answer}, timeout=timeout_s)
        if not done:
            answer.cancel()
            raise TooSlow(f"it took longer than {timeout_s:g} s")
        return answer.result()

    def close(self) -> None:
        """End the asynchronous calls and their thread; one that blocks it is left behind."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        self._thread.join(ENDING_S)
        if not self._thread.is_alive():
            self._loop.close()

    async def _end(self) -> None:
        calls = asyncio.all_tasks() - {asyncio.current_task()}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self._loop.shutdown_asyncgens()
        self._loop.stop()

    async def _collected(self, function: Function, argument: Any) -> list[Any]:
        """The items of an asynchronous generator, or what an asynchronous function returns."""
        try:
            if inspect.isasyncgenfunction(function):
                return await self._taken(function(argument))
            return self._listed(await function(argument))
        except BaseException as error:
            raise _plain(error) from error

    async def _taken(self, generator: AsyncGenerator[Any, None]) -> list[Any]:
        items: list[Any] = []
        async for item in generator:
            items.append(item)
            if len(items) == self._most:
                await generator.aclose()
        return items

    def _listed(self, answer: Any) -> list[Any]:
        match answer:
            case None:
                return []
            case list() | tuple() | Iterator():
                return list(islice(answer, self._most))
            case _:
                return [answer]

    def _in_thread(self, work: Callable[[], list[Any]]) -> "Future[list[Any]]":
        """Do `work` in a new thread that does not keep the process alive."""
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        if len(self._threads) >= MOST_THREADS:
            raise TooMany(f"{MOST_THREADS} earlier calls are still running, past their time")
        future: Future[list[Any]] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 (see _plain)
                future.set_exception(_plain(error))

        future.set_running_or_notify_cancel()
        thread = threading.Thread(target=run, name="sensor", daemon=True)
        self._threads.add(thread)
        thread.start()
        return future


def _plain(error: BaseException) -> Exception:
    """What an author's code raised, as an exception that ends nothing but its own call: `exit()` is one, say."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration):
        return error
    stopped = RuntimeError(f"it raised {type(error).__name__}")
    return stopped.with_traceback(error.__traceback__)
