"""Servers, and services as processes of their own, for as long as something is measured."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from loopy.bus.client import Bus
from loopy.bus.server import EmbeddedServer
from loopy.bus.streams import Durability
from tests.cluster.servers import Cluster
from tests.support.waiting import wait_until

NAMESPACE = "bench"
SLOTS = 256

Spawn = Callable[..., Awaitable[asyncio.subprocess.Process]]


@asynccontextmanager
async def server(store: Path, durability: Durability = "process") -> AsyncIterator[str]:
    """An embedded server on a new store; where to connect."""
    embedded = await EmbeddedServer.start(store, durability)
    try:
        yield embedded.url
    finally:
        await embedded.stop()


@asynccontextmanager
async def cluster(directory: Path) -> AsyncIterator[str]:
    """Three servers that keep everything three times; where to connect."""
    servers = Cluster(directory, "", wired=False)
    await servers.start()
    try:
        yield servers.url
    finally:
        await servers.close()


@asynccontextmanager
async def engine(
    root: Path, url: str, services: Mapping[str, int], **settings: str
) -> AsyncIterator[tuple[Bus, dict[str, int]]]:
    """So many of each service; the bus and the processes' ids by name, once all are ready."""
    environment = {
        "LOOPY_NATS_URL": url,
        "LOOPY_NAMESPACE": NAMESPACE,
        "LOOPY_PROJECT": str(root / "project"),
        "LOOPY_PORT": "0",
        "LOOPY_SLOTS": str(SLOTS),
        "PYTHONPATH": os.pathsep.join([str(root / "runtime"), os.environ.get("PYTHONPATH", "")]),
        **settings,
    }
    async with AsyncExitStack() as stack:
        start = await stack.enter_async_context(children())
        bus = await Bus.connect(url, namespace=NAMESPACE, name="bench")
        stack.push_async_callback(bus.close)
        processes = {}
        for service, count in services.items():
            for number in range(count):
                name = f"{service}-{number}"
                child = await start(name, ["-m", f"loopy_services.{service}"], root, environment)
                processes[name] = child.pid
                log = root / f"{name}.log"
                try:
                    await wait_until(lambda log=log: "services.ready" in log.read_text(), 30)  # type: ignore[misc]
                except AssertionError as late:
                    raise AssertionError(f"{name} is not ready: {log.read_text()[-2000:]}") from late
        yield bus, processes


@asynccontextmanager
async def children() -> AsyncIterator[Spawn]:
    """What starts processes that are killed at the end. Their log lines go to files."""
    started: list[asyncio.subprocess.Process] = []

    async def spawn(
        name: str, arguments: list[str], root: Path, environment: dict[str, str] | None = None
    ) -> asyncio.subprocess.Process:
        with (root / f"{name}.log").open("wb") as log:
            variables = {**os.environ, **(environment or {})}
            child = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=variables, stderr=log)
        started.append(child)
        return child

    try:
        yield spawn
    finally:
        for child in started:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
