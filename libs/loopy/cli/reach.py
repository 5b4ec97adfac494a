"""Finding the bus that a command is to talk to, and connecting to it."""

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from loopy.cli.exits import CommandError
from loopy.cli.projects import find_project
from loopy.cli.server_file import is_alive, read_server_file

if TYPE_CHECKING:
    from loopy.bus.client import Bus


ROOM = (
    "it drains by itself, as runs that ended are archived and what is old is deleted; to have room now, raise its limit"
    " (`nats stream edit NAME --max-bytes=SIZE`) or the server's (`max_file_store`)"
)
NO_STREAM = 10059


class Address(msgspec.Struct, frozen=True):
    """A bus: the server's URL with its credentials, and the namespace on it."""

    nats_url: str
    namespace: str

    def __repr__(self) -> str:
        return f"Address(nats_url=…, namespace={self.namespace!r})"


def find_bus(args: argparse.Namespace) -> Address:
    """The bus of `--nats`, of LOOPY_NATS_URL, or of the project's `loopy run`, in this order. CommandError."""
    project = find_project(args.project)
    url = args.nats or os.environ.get("LOOPY_NATS_URL")
    namespace = args.namespace or os.environ.get("LOOPY_NAMESPACE")
    if url:
        return Address(url, namespace or _declared_namespace(project) or "loopy")
    if project is None:
        raise CommandError("no project here or above, and no server named", "cd into a project, or give --nats URL")
    return _running(project, namespace)


def _running(project: Path, namespace: str | None) -> Address:
    there = read_server_file(project)
    if there is None:
        raise CommandError(
            f"nothing runs {project}", "start it with `loopy run`, or name a server with --nats URL or LOOPY_NATS_URL"
        )
    if not is_alive(there.pid):
        raise CommandError(
            f"nothing runs {project} any more: process {there.pid} of its .loopy/server.json is gone",
            "start it again with `loopy run`; what was under way goes on",
        )
    return Address(there.nats_url, namespace or there.namespace)


def _declared_namespace(project: Path | None) -> str | None:
    from loopy.cli.projects import plan_if_good

    plan = plan_if_good(project) if project is not None else None
    return plan.namespace if plan is not None else None


@asynccontextmanager
async def connected(address: Address, command: str) -> AsyncIterator["Bus"]:
    """A connection to the bus for as long as the context lasts; CommandError when it cannot be had.

    A namespace in which nothing was ever run has no streams: whatever asked for one would fail in words that help
    nobody, or wait for ever. What is published does not wait for room in a stream: a person is told.
    """
    from loopy.bus.client import Bus, BusError, StreamFull
    from loopy.bus.subjects import NamespaceError

    try:
        bus = await Bus.connect(address.nats_url, namespace=address.namespace, name=f"loopy {command}")
    except (BusError, NamespaceError) as error:
        raise CommandError(str(error), "`loopy doctor` checks what a run needs") from error
    try:
        await _check_namespace(bus)
        yield bus.hurried()
    except StreamFull as full:
        raise CommandError(f"{full}{await _limit(bus, full.stream)}", ROOM) from full
    except BusError as error:
        raise CommandError(str(error)) from error
    finally:
        await bus.close()


async def _check_namespace(bus: "Bus") -> None:
    """CommandError when nothing was ever run in the bus's namespace."""
    from loopy.bus.errors import ApiRefused
    from loopy.bus.streams import RUNS

    try:
        await bus.position(RUNS)
    except ApiRefused as error:
        if error.code != NO_STREAM:
            raise
        raise CommandError(
            f"nothing was ever run in namespace `{bus.subjects.namespace}` of this server",
            "`--namespace NS` names another one; `loopy run` and `loopy serve` make what one needs",
        ) from None


async def _limit(bus: "Bus", name: str) -> str:
    """What is to be said of the limit of a stream, by its name on the server; nothing where it has none."""
    from loopy.bus.client import BusError
    from loopy.bus.streams import STREAMS, stream_name

    stream = next((stream for stream in STREAMS if stream_name(bus.subjects, stream) == name), None)
    try:
        room = await bus.room(stream) if stream is not None else None
    except BusError:
        return ""
    return f"; it may hold {room.most_bytes:,} bytes" if room is not None and room.most_bytes is not None else ""
