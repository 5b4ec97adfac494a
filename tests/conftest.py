"""What every test may ask for: a real NATS server (one a session), a namespace of its own, a bus on it."""

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from loopy.bus.client import Bus
from tests.support.nats_server import NatsServer

_namespaces = itertools.count(1)


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """The session's server; a test that kills or stops a server makes one of its own."""
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def nats_url(nats_server: NatsServer) -> str:
    """Where the session's server is."""
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
