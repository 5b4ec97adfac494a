"""The console, the shell: mounts the API, then has nothing to do but answer."""

import asyncio

from loopy.bus.control import Control
from loopy.kit.service import Host
from loopy_services.console.routes import Routes


async def serve(host: Host) -> None:
    """Answer `/api` until the host stops."""
    control = Control(host.bus)
    await control.load()
    host.http.mount("/api", Routes(host.bus, host.current, host.clock, control).app(), protected=True)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(control.follow())
        host.ready()
        await host.stopping.wait()
        following.cancel()
