"""The shape of a service, and how one runs until it is told to stop."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeAlias

from loopy.bus.client import Bus
from loopy.clock import Clock
from loopy.compiler.plan import Plan
from loopy.kit.http import HttpServer
from loopy.kit.settings import Settings


class Host(Protocol):
    """What a service is given. All of it is made by whoever runs the service: `loopy run`, `loopy serve`, a test."""

    settings: Settings
    bus: Bus
    project: Path
    plan: Plan
    clock: Clock
    http: HttpServer
    stopping: asyncio.Event

    def ready(self) -> None:
        """The service does its work from now on."""
        ...


Serve: TypeAlias = Callable[[Host], Awaitable[None]]
