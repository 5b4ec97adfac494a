"""A server that is cut off from its cluster, as its clients see it: pings are answered, requests are not."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

PAYLOAD_COMMANDS = (b"PUB", b"HPUB")


class MuteServer:
    """A proxy before a NATS server that, while it is `mute`, swallows what clients publish and passes on the rest."""

    def __init__(self, target: int) -> None:
        self.mute = False
        self.clients = 0
        self.swallowed = 0
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where clients connect."""
        assert self._server is not None
        return f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self.clients += 1
        answers = asyncio.create_task(_copy(there, writer))
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._pass_on(reader, back)
        finally:
            self.clients -= 1
            answers.cancel()
            back.close()
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            words = line.split()
            is_message = words[0].upper() in PAYLOAD_COMMANDS
            whole = line + (await reader.readexactly(int(words[-1]) + 2) if is_message else b"")
            if is_message and self.mute:
                self.swallowed += 1
                continue
            back.write(whole)
            await back.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
