"""A view of a stream, kept current: what is stored is read once, then each message as it comes."""

from collections.abc import Callable, Sequence

from loopy.bus.client import Bus
from loopy.bus.cursor import Cursor
from loopy.bus.messages import Message
from loopy.bus.streams import Stream


class Following:
    """Shows a view every message of some subjects, in order. The view is a moment behind."""

    def __init__(self, bus: Bus, stream: Stream, filters: Sequence[str], see: Callable[[Message], None]) -> None:
        self._bus = bus
        self._stream = stream
        self._filters = tuple(filters)
        self._see = see
        self._position = 0
        self._cursor: Cursor | None = None

    @property
    def is_current(self) -> bool:
        """Whether the view shows all that was stored up to a moment ago; not while the server is not heard of."""
        return self._cursor is not None and self._cursor.is_current

    async def load(self) -> None:
        """Show all that is stored; from then on `follow` keeps the view current."""
        self._position = await self._bus.position(self._stream)
        async for message in self._bus.read(self._stream, self._filters):
            self._see(message)

    async def follow(self) -> None:
        """Show what is stored from then on; returns only when cancelled."""
        async for message in self._bus.read(
            self._stream, self._filters, after=self._position, follow=True, opened=self._go_on_with
        ):
            self._see(message)

    def _go_on_with(self, cursor: Cursor) -> None:
        self._cursor = cursor
