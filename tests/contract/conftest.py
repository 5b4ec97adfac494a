"""The same promises, asked of the bus on a real nats-server and of the bus in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeAlias

import pytest

from loopy.bus.client import Bus
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.subjects import Subjects
from tests.support.nats_server import NatsServer

Connect: TypeAlias = Callable[[str], Awaitable[Bus]]


@pytest.fixture(params=["nats", "memory"])
async def connect(request: pytest.FixtureRequest, namespace: str) -> AsyncIterator[Connect]:
    """Makes connections of a name to the test's server; they are closed at its end."""
    real: NatsServer | None = request.getfixturevalue("nats_server") if request.param == "nats" else None
    memory = MemoryServer()
    async with AsyncExitStack() as stack:

        async def open_one(name: str) -> Bus:
            if real is not None:
                bus = await Bus.connect(real.url, namespace=namespace, name=name)
            else:
                bus = Bus(MemoryConnection(memory, name), Subjects(namespace))
            stack.push_async_callback(bus.close)
            return bus

        yield open_one


@pytest.fixture
async def bus(connect: Connect) -> Bus:
    """A bus with every stream and consumer."""
    bus = await connect("test")
    await bus.provision()
    return bus
