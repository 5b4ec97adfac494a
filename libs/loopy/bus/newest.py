"""Reading a stream from its end."""

from collections.abc import Sequence

from loopy.bus.client import Bus
from loopy.bus.messages import Message
from loopy.bus.streams import Stream


async def newest(bus: Bus, stream: Stream, filters: Sequence[str], limit: int, *, one_in: int = 2) -> list[Message]:
    """The last messages that match, at most `limit`, in order; no more of the stream is read than need be.

    A window at the stream's end is doubled until it holds enough of them. At first it has room for them if one message
    in `one_in` matches.
    """
    end, window = await bus.position(stream), limit * one_in
    while True:
        after = max(0, end - window)
        found = [message async for message in bus.read(stream, filters, after=after)]
        if len(found) >= limit or after == 0:
            return found[-limit:]
        window *= 2
