"""Services started in the test's own process, or as processes of their own, on a real server."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from loopy.compiler.plan import Plan
from loopy.kit.current_plan import CurrentPlan
from loopy.kit.http import HttpServer
from loopy.kit.process import compiled_plan
from loopy.kit.service import run_services
from loopy.kit.settings import Settings, read_settings

ALL = ("ingress", "scheduler", "dispatcher", "executor", "console")


def settings_for(nats_url: str, namespace: str, **fields: Any) -> Settings:
    """Settings for a test: any free port, a short grace."""
    return read_settings(
        {}, nats_url=nats_url, namespace=namespace, **{"port": 0, "grace_s": 2, "nats_wait_s": 0, **fields}
    )


class Running(msgspec.Struct, frozen=True):
    """Services that are ready; `ended` is done once they are not any more."""

    url: str
    current: CurrentPlan
    stopping: asyncio.Event
    ended: "asyncio.Task[None]"


@asynccontextmanager
async def services(
    names: Sequence[str], project: Path, settings: Settings, *, plan: Plan | None = None
) -> AsyncIterator[Running]:
    """Run these services in this process until the context ends; raises what they raise."""
    plan = plan or compiled_plan(project)
    current, stopping = CurrentPlan(plan), asyncio.Event()
    ready: asyncio.Future[HttpServer] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        run_services(names, settings, project, current, on_ready=ready.set_result, stopping=stopping)
    )
    waiting: set[asyncio.Future[Any]] = {ready, task}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        ready.cancel()
        task.result()
    try:
        yield Running(ready.result().url, current, stopping, task)
    finally:
        stopping.set()
        await task


@asynccontextmanager
async def process(
    name: str, project: Path, nats_url: str, namespace: str, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """One service as a process of its own, with the environment that its settings are read from; killed at the end."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"loopy_services.{name}",
        env={
            **os.environ,
            "LOOPY_NATS_URL": nats_url,
            "LOOPY_NAMESPACE": namespace,
            "LOOPY_PROJECT": str(project),
            "LOOPY_PORT": "0",
            **environment,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()
