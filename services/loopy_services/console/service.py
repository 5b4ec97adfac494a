"""The console, the shell: mounts the API, then has nothing to do but answer."""

from loopy.kit.service import Host
from loopy_services.console.routes import Routes


async def serve(host: Host) -> None:
    """Answer `/api` until the host stops."""
    host.http.mount("/api", Routes(host.bus, host.current, host.clock).app(), protected=True)
    host.ready()
    await host.stopping.wait()
