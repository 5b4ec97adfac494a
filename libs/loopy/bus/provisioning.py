"""Makes the server's streams and consumers agree with the topology; doing it again, or twice at once, does no harm."""

import asyncio
from collections.abc import Sequence
from typing import Any

from loopy.bus.errors import ApiRefused, BusError
from loopy.bus.retrying import patiently
from loopy.bus.streams import (
    CONSUMERS,
    STREAMS,
    UNLIMITED,
    Consumer,
    Durability,
    consumer_config,
    executor_consumer,
    stream_config,
    stream_name,
)
from loopy.bus.subjects import Subjects
from loopy.bus.transport import Transport

NAME_IN_USE = 10058
NO_ROOM = 10047


async def provision(
    connection: Transport, subjects: Subjects, replicas: int, pools: Sequence[str], durability: Durability
) -> None:
    """Create or update every stream, then every consumer. BusError says which one the server refuses, and why."""
    configs = [stream_config(subjects, stream, replicas, durability) for stream in STREAMS]
    await asyncio.gather(*(ensure_stream(connection, config) for config in configs))
    consumers = (*CONSUMERS, *(executor_consumer(pool) for pool in pools))
    await asyncio.gather(*(ensure_consumer(connection, subjects, consumer) for consumer in consumers))


async def ensure_stream(connection: Transport, config: dict[str, Any]) -> None:
    """Create a stream, or change the one of that name to this configuration. BusError."""
    name = config["name"]
    try:
        try:
            await _call(connection, f"STREAM.CREATE.{name}", config)
        except ApiRefused as error:
            if error.code != NAME_IN_USE:
                raise
            existing = await _call(connection, f"STREAM.INFO.{name}", {})
            await _call(connection, f"STREAM.UPDATE.{name}", as_may_be(config, existing["config"]))
    except ApiRefused as error:
        raise BusError(f"stream {name} cannot be made as Loopy needs it: {_reason(error, config)}") from error


def as_may_be(config: dict[str, Any], existing: dict[str, Any]) -> dict[str, Any]:
    """The configuration to which a stream may be changed.

    It has the replicas and the room that it has, if these are more: somebody meant it. How a stream is written cannot
    be changed, so that stays.
    """
    rooms = (config["max_bytes"], existing["max_bytes"])
    changed = {
        **config,
        "num_replicas": max(config["num_replicas"], existing["num_replicas"]),
        "max_bytes": UNLIMITED if UNLIMITED in rooms else max(rooms),
    }
    changed.pop("persist_mode", None)
    if "persist_mode" in existing:
        changed["persist_mode"] = existing["persist_mode"]
    return changed


async def ensure_consumer(connection: Transport, subjects: Subjects, consumer: Consumer) -> None:
    """Create a consumer, or change the one of that name. BusError."""
    stream, config = stream_name(subjects, consumer.stream), consumer_config(subjects, consumer)
    body = {"stream_name": stream, "config": config}
    try:
        await _call(connection, f"CONSUMER.CREATE.{stream}.{config['name']}", body)
    except ApiRefused as error:
        raise BusError(
            f"consumer {config['name']} of stream {stream} cannot be made as Loopy needs it: {error.description}"
        ) from error


async def _call(connection: Transport, call: str, body: dict[str, Any]) -> dict[str, Any]:
    return await patiently(connection, lambda: connection.api(call, body))


def _reason(error: ApiRefused, config: dict[str, Any]) -> str:
    if error.code == NO_ROOM:
        return f"{error.description}; it sets aside {config['max_bytes'] >> 20} MiB (`max_file_store` of the server)"
    return error.description
