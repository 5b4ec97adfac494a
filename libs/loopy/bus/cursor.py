"""A place in a stream, moving forward: an ordered, temporary consumer that notices when it missed something."""

import asyncio
import contextlib
import secrets
from collections import deque
from typing import Any

from loopy.bus.errors import ApiRefused, Unavailable
from loopy.bus.incoming import consumed, place_of
from loopy.bus.messages import Message
from loopy.bus.pull import LARGEST_BATCH, Pull
from loopy.bus.retrying import patiently
from loopy.bus.transport import Transport
from loopy.bus.wire import Arrived

TICK_S = 0.25
# The server forgets a consumer that nobody has asked for so long.
KEPT_S = 30


class CursorLost(Exception):
    """Messages may be missing from here on: begin again after the last one received."""


class Cursor:
    """Messages of a stream in order, each once, until `CursorLost`."""

    def __init__(self, connection: Transport, server_stream: str, stream: str) -> None:
        self._connection = connection
        self._server_stream = server_stream
        self._stream = stream
        self._name = f"{server_stream.partition('_')[0].lower()}-read-{secrets.token_hex(6)}"
        self._pull = Pull(connection, server_stream, self._name, self._receive)
        self._waiting: deque[Arrived] = deque()
        self._arrived = asyncio.Event()
        self._consumer_sequence = 0
        self._missed = 0
        self.at_end = False

    async def open(self, config: dict[str, Any]) -> None:
        """Begin; `config` says where and which subjects. BusError."""
        body = {
            "stream_name": self._server_stream,
            "config": {
                "name": self._name,
                "ack_policy": "none",
                "mem_storage": True,
                "num_replicas": 1,
                "inactive_threshold": KEPT_S * 1_000_000_000,
                **config,
            },
        }
        call = f"CONSUMER.CREATE.{self._server_stream}.{self._name}"
        info = await patiently(self._connection, lambda: self._connection.api(call, body))
        self.at_end = info["num_pending"] == 0
        await self._pull.start(lambda: LARGEST_BATCH - len(self._waiting))

    @property
    def is_current(self) -> bool:
        """Whether it gave out all that was stored up to a moment ago: not while the server is silent, or has more."""
        is_all = self.at_end and not self._waiting and self._pull.delivered <= self._consumer_sequence
        return is_all and self._pull.is_heard

    async def close(self) -> None:
        """End, and have the server forget it."""
        self.at_end = False  # whatever comes from now on is not given out here
        await self._pull.stop()
        with contextlib.suppress(Unavailable, ApiRefused):
            await self._connection.api(f"CONSUMER.DELETE.{self._server_stream}.{self._name}", {})

    async def next(self) -> Message | None:
        """The next message, or None when none came for a moment. CursorLost."""
        if not self._waiting and not await self._wait():
            return None
        message = self._waiting.popleft()
        try:
            place = place_of(message.reply)
        except ValueError as error:
            raise CursorLost from error
        self._consumer_sequence += 1
        if place.consumer_sequence != self._consumer_sequence:
            raise CursorLost
        self.at_end = place.pending == 0
        if len(self._waiting) * 2 < LARGEST_BATCH:
            self._pull.top_up()
        return consumed(message, place, self._stream, deliveries=0)

    def _receive(self, message: Arrived) -> None:
        self._waiting.append(message)
        self._arrived.set()

    async def _wait(self) -> bool:
        """Wait a moment for a message; whether there is one."""
        self._arrived.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_S):
                await self._arrived.wait()
        if self._waiting:
            return True
        self._connection.check_open()
        if self._pull.interrupted or self._pull.refusal or self._pull.delivered > self._consumer_sequence:
            raise CursorLost
        self._pull.top_up()
        return False

    async def look_for_end(self) -> None:
        """Set `at_end` anew: what was to come may have been deleted meanwhile, or dropped on its way. CursorLost."""
        call = f"CONSUMER.INFO.{self._server_stream}.{self._name}"
        try:
            info = await self._connection.api(call, {})
        except (Unavailable, ApiRefused) as error:
            raise CursorLost from error
        delivered: int = info["delivered"]["consumer_seq"]
        received = self._consumer_sequence + len(self._waiting)
        if delivered > received and delivered == self._missed:
            raise CursorLost  # it has had two looks' time to arrive
        self._missed = delivered
        self.at_end = info["num_pending"] == 0 and delivered <= self._consumer_sequence
