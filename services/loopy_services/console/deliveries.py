"""The newest deliveries, read from the stream's end."""

from collections.abc import Callable
from typing import Any, TypeVar

from loopy.bus.client import Bus
from loopy.bus.codec import read_delivery, read_failed_delivery
from loopy.bus.messages import Message
from loopy.bus.newest import newest
from loopy.bus.streams import DELIVERIES
from loopy.bus.undecodable import Undecodable
from loopy_services.console import core

T = TypeVar("T")


async def newest_deliveries(bus: Bus, limit: int) -> list[dict[str, Any]]:
    """What was delivered last, the newest first."""
    found = await newest(bus, DELIVERIES, [bus.subjects.under("delivery", ">")], limit)
    return [core.shown_delivery(delivery) for delivery in _decoded(found, read_delivery)]


async def newest_failures(bus: Bus, limit: int) -> list[dict[str, Any]]:
    """What could not be mapped last, the newest first."""
    found = await newest(bus, DELIVERIES, [bus.subjects.under("failed", ">")], limit)
    return [core.shown_failure(failed) for failed in _decoded(found, read_failed_delivery)]


def _decoded(messages: list[Message], decode: Callable[[Message], T]) -> list[T]:
    """The messages' values, the newest first; what a stranger wrote there and cannot be read is left out."""
    values: list[T] = []
    for message in reversed(messages):
        try:
            values.append(decode(message))
        except Undecodable:
            continue
    return values
