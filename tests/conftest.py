"""What every test may ask for: a real NATS server (one a module), a namespace of its own, a bus on it."""

import itertools
import os
from collections.abc import AsyncIterator, Iterator

import pytest

from loopy.bus.client import Bus
from tests.support.nats_server import NatsServer

_namespaces = itertools.count(1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two tests a core at once (`-n auto`): most wait more than they compute."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """The module's server; a test that kills or stops a server makes one of its own.

    Not the session's: what a stream costs to create grows with the streams that a server has.
    """
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def nats_url(nats_server: NatsServer) -> str:
    """Where the module's server is."""
    return nats_server.url


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test uses."""
    return f"t{next(_namespaces)}"


@pytest.fixture
async def bus(nats_url: str, namespace: str) -> AsyncIterator[Bus]:
    """A bus with every stream and consumer of the test's namespace."""
    bus = await Bus.connect(nats_url, namespace=namespace, name="test")
    await bus.provision()
    yield bus
    await bus.close()
