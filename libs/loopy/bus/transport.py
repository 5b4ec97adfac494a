"""What the bus needs of a connection to JetStream: a real one has it (`connection`), and one in memory (`memory`)."""

from collections.abc import AsyncGenerator, Callable
from typing import Any, Protocol

from loopy.bus.wire import Arrived


class Subscription(Protocol):
    """Messages that are received until it ends."""

    async def unsubscribe(self) -> None:
        """Receive nothing more."""
        ...

    async def drain(self) -> None:
        """Receive nothing more than what the server has sent already."""
        ...


class Transport(Protocol):
    """A connection that heals itself. `generation` counts how often it was opened again."""

    generation: int

    @property
    def connected(self) -> bool:
        """Whether the server can be talked to now."""
        ...

    @property
    def max_payload(self) -> int:
        """The most bytes of headers and payload that the server takes in one message."""
        ...

    def check_open(self) -> None:
        """BusError when the connection is closed for good."""
        ...

    async def closed(self) -> None:
        """Return when the connection is closed for good."""
        ...

    async def close(self) -> None:
        """Send what is still to be sent, and close for good."""
        ...

    async def flush(self) -> None:
        """Return when the server has had all that was sent, or does not answer for a moment."""
        ...

    async def ready(self) -> None:
        """Wait until the server can be talked to. BusError when it never can be again."""
        ...

    async def request(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> bytes:
        """One try of one request with one answer. Unavailable when there is none; BusError when there never will be."""
        ...

    async def converse(
        self, subject: str, payload: bytes, ended: Callable[[Arrived], bool], headers: dict[str, str] | None = None
    ) -> list[Arrived]:
        """One try of one request, and all its answers up to the one that ends it. Unavailable, BusError."""
        ...

    async def unanswered(self, since: float) -> None:
        """Note that what was asked at `since`, in the loop's time, has had no answer."""
        ...

    async def api(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        """One call of the JetStream API, such as `STREAM.INFO.LOOPY_EVT`. ApiRefused, Unavailable."""
        ...

    def send(self, subject: str, payload: bytes, reply: str = "") -> None:
        """Publish without an answer: acks, pulls. What cannot be sent is lost; its loss is made good elsewhere."""
        ...

    def new_inbox(self) -> str:
        """A subject of this connection's own, for answers."""
        ...

    async def subscribe(self, subject: str, receive: Callable[[Arrived], None]) -> Subscription:
        """Have `receive` called with every message of a subject; survives reconnects. BusError."""
        ...

    def messages(self, subject: str) -> AsyncGenerator[Arrived]:
        """Every message of a subject from now on; ends when the connection is closed. BusError."""
        ...
