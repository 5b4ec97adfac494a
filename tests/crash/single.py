"""One nats-server in a process of its own, killed and paused like any other."""

import asyncio
from pathlib import Path

from tests.crash.faults import SERVER, Fault
from tests.crash.processes import Blow, now_s
from tests.support.nats_server import NatsServer


class SingleServer:
    """The server of a campaign without a cluster."""

    replicas = 1

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._whole = asyncio.Lock()
        self._server = NatsServer(directory)
        self._server.start()

    @property
    def url(self) -> str:
        """Where to connect."""
        return self._server.url

    async def strike(self, fault: Fault) -> Blow:
        """Kill it or pause it, for a while; one thing at a time, however late the machine is."""
        harm, heal = (self._server.kill, self._server.start) if fault.how == "kill" else (
            self._server.pause, self._server.resume
        )  # fmt: skip
        async with self._whole:
            begun = now_s()
            harm()
            await asyncio.sleep(fault.lasts_s)
            heal()
            return Blow(SERVER, 0, fault.how, begun, now_s())

    def close(self) -> None:
        """End it; its store stays."""
        self._server.kill()
