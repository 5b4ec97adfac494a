"""The first connection to NATS: a service may be started before the server, and waits for it a while."""

import asyncio
import contextlib

from loopy.bus.claims import ValueLimits
from loopy.bus.client import Bus
from loopy.bus.errors import BusError, Unreachable
from loopy.kit.errors import CannotStart
from loopy.kit.settings import Settings

RETRY_S = 0.25


async def connect(settings: Settings, name: str, stopping: asyncio.Event) -> Bus | None:
    """A connection, as soon as there is one; None when `stopping` is set before.

    Raises CannotStart when the server cannot be reached within `nats_wait_s`, and at once when waiting would not help.
    """
    import structlog

    limits = ValueLimits(settings.claim_bytes, settings.largest_value_bytes)
    until = asyncio.get_running_loop().time() + settings.nats_wait_s
    waiting = False
    while True:
        try:
            return await Bus.connect(settings.nats_url, namespace=settings.namespace, name=name, limits=limits)
        except Unreachable as error:
            if asyncio.get_running_loop().time() >= until:
                raise CannotStart(str(error)) from None
            if not waiting:
                structlog.get_logger().warning("nats.awaited", wait_s=settings.nats_wait_s, error=str(error))
            waiting = True
        except BusError as error:
            raise CannotStart(str(error)) from None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETRY_S):
                await stopping.wait()
            return None
