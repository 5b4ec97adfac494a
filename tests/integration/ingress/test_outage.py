"""The bus goes away and comes back: senders are told to come again, then nothing is lost or doubled."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from loopy.bus.client import Bus
from loopy.bus.streams import DELIVERIES
from tests.support.nats_server import NatsServer
from tests.support.services import services, settings_for
from tests.support.waiting import wait_until


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server that this test may kill."""
    server = NatsServer(tmp_path_factory.mktemp("own-nats"))
    server.start()
    yield server
    server.stop()


async def test_while_the_server_is_gone_deliveries_and_reads_are_503_and_afterwards_they_are_not(
    own_server: NatsServer, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loopy_services.ingress.webhooks.STORE_S", 0.3)
    monkeypatch.setattr("loopy_services.console.asking.READ_S", 0.3)
    settings = settings_for(own_server.url, "outage")
    async with (
        services(["ingress", "console"], project, settings) as running,
        httpx.AsyncClient(base_url=running.url, timeout=10) as web,
    ):
        own_server.kill()
        for number in range(3):
            refused = await web.post("/hooks/none", headers={"Request-ID": str(number)})
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        for path in ("/api/runs", "/api/cascades/x", "/api/deliveries", f"/api/runs/{'0' * 24}", "/api/health"):
            assert (await web.get(path)).status_code == 503, path
        own_server.start()

        async def accepted() -> bool:
            return (await web.post("/hooks/none", headers={"Request-ID": "0"})).status_code == 202

        await wait_until(accepted)
        bus = await Bus.connect(own_server.url, namespace="outage", name="test")
        found = [message async for message in bus.read(DELIVERIES, [bus.subjects.delivery("nothing", "0")])]
        assert len(found) == 1
        await bus.close()
