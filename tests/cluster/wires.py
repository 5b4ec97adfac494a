"""The wires between servers: each goes through a proxy of its own, so that a server can be cut off from the others."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

CHUNK = 1 << 16


class Wire:
    """A TCP proxy to one port. While it is cut, its connections are closed and no new one is accepted for long."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.Task[Any]] = set()
        self._cut = False

    async def open(self) -> int:
        """Listen; the port to connect to instead of the target's."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Close every connection, and each that is opened, until `mend`."""
        self._cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Let connections be opened again."""
        self._cut = False

    async def close(self) -> None:
        """Listen no more, and close every connection."""
        self.cut()
        if self._server is not None:
            self._server.close()
        await asyncio.gather(*self._open)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._open.add(connection)
        try:
            if self._cut:
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            return
        else:
            self._writers |= {writer, back}
            await _both(_pump(reader, back), _pump(there, writer))
            self._writers -= {writer, back}
            back.transport.abort()
        finally:
            writer.transport.abort()
            self._open.discard(connection)


async def _both(one: Coroutine[Any, Any, None], other: Coroutine[Any, Any, None]) -> None:
    """Run both until one of them ends."""
    tasks = [asyncio.create_task(one), asyncio.create_task(other)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
