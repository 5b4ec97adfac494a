"""The newest deliveries, and the newest that could not be mapped, read from their stream's end."""

from collections.abc import Callable
from typing import TypeVar

from loopy.bus.client import Bus
from loopy.bus.codec import Delivery, FailedDelivery, read_delivery, read_failed_delivery
from loopy.bus.messages import Message
from loopy.bus.newest import newest
from loopy.bus.streams import DELIVERIES
from loopy.bus.undecodable import Undecodable

T = TypeVar("T")


async def newest_deliveries(bus: Bus, limit: int) -> list[Delivery]:
    """What was delivered last, the newest first."""
    return await _newest(bus, "delivery", limit, read_delivery)


async def newest_failures(bus: Bus, limit: int) -> list[FailedDelivery]:
    """What could not be mapped last, the newest first."""
    return await _newest(bus, "failed", limit, read_failed_delivery)


async def _newest(bus: Bus, kind: str, limit: int, decode: Callable[[Message], T]) -> list[T]:
    """The newest of a kind; what a stranger wrote there and cannot be read is left out."""
    values: list[T] = []
    for message in reversed(await newest(bus, DELIVERIES, [bus.subjects.under(kind, ">")], limit)):
        try:
            values.append(decode(message))
        except Undecodable:
            continue
    return values
