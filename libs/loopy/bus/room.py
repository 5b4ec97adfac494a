"""How full a stream is: what is stored in it, and how much it may hold."""

import msgspec

from loopy.bus.streams import Stream, stream_name
from loopy.bus.subjects import Subjects
from loopy.bus.transport import Transport


class Room(msgspec.Struct, frozen=True):
    """What a stream holds, and the most that it may; `most_bytes` is None where age alone bounds it."""

    messages: int
    bytes: int
    most_bytes: int | None

    @property
    def fullness(self) -> float:
        """The part of its room that is taken, 0 to 1."""
        return 0.0 if self.most_bytes is None else self.bytes / self.most_bytes


async def room_of(connection: Transport, subjects: Subjects, stream: Stream) -> Room:
    """How full a stream is now. One try; ApiRefused, Unavailable."""
    info = await connection.api(f"STREAM.INFO.{stream_name(subjects, stream)}", {})
    state, most = info["state"], int(info["config"].get("max_bytes", -1))
    return Room(state["messages"], state["bytes"], most if most > 0 else None)
