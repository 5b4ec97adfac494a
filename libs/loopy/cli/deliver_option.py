"""`--deliver PATH=FILE`: posting a file to one's own webhook, and finding what came of it."""

import asyncio
import http.client
import uuid
from collections.abc import Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from loopy.cli.exits import FAILED, CommandError
from loopy.cli.parser import did_you_mean
from loopy.compiler.plan import Plan, Sensor, WebhookSource
from loopy.runs.ids import sensed_id

if TYPE_CHECKING:
    from loopy.bus.client import Bus

MARGIN_S = 5.0
LARGEST_BATCH = 100


class Parcel(msgspec.Struct, frozen=True):
    """A body for the webhook of a sensor."""

    path: str
    file: str
    body: bytes
    sensor: Sensor


class Posted(msgspec.Struct, frozen=True):
    """A parcel that ingress has accepted as a delivery."""

    parcel: Parcel
    delivery: str


class _Answer(msgspec.Struct):
    """What ingress answers: a delivery's id, or a problem document."""

    delivery: str = ""
    title: str = ""
    detail: str = ""


def packed(pairs: Sequence[tuple[str, str]], plan: Plan) -> list[Parcel]:
    """The parcels of these (path, file) pairs; CommandError when there is no such webhook or file."""
    webhooks = {s.source.path: s for s in plan.sensors.values() if isinstance(s.source, WebhookSource)}
    return [_packed(path, file, webhooks) for path, file in pairs]


def _packed(path: str, file: str, webhooks: dict[str, Sensor]) -> Parcel:
    if path not in webhooks:
        known = f"the project's webhooks are {', '.join(webhooks)}" if webhooks else "the project has no webhook sensor"
        raise CommandError(f"--deliver: there is no webhook at `{path}`", did_you_mean(path, webhooks, known))
    try:
        body = Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"--deliver: {file} cannot be read: {error.strerror}") from None
    return Parcel(path, file, body, webhooks[path])


async def post(http_url: str, parcel: Parcel) -> Posted:
    """Post a parcel as a sender would, as a delivery that was never seen before; CommandError when it is refused."""
    status, answer = await asyncio.to_thread(_post, http_url, parcel)
    told = _Answer()
    with suppress(msgspec.DecodeError):
        told = msgspec.json.decode(answer, type=_Answer)
    if not told.delivery:
        why = told.detail or told.title or answer[:200].decode(errors="replace")
        raise CommandError(f"{parcel.path} answered {status} to {parcel.file}: {why}", code=FAILED)
    return Posted(parcel, told.delivery)


def _post(http_url: str, parcel: Parcel) -> tuple[int, bytes]:
    where = urlsplit(http_url)
    connection = http.client.HTTPConnection(where.hostname or "127.0.0.1", where.port, timeout=30)
    try:
        headers = {"Content-Type": "application/json", "Request-ID": uuid.uuid4().hex}
        connection.request("POST", parcel.path, parcel.body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


async def events_of(bus: "Bus", posted: Posted) -> list[str]:
    """The ids of the events that the sensor made of a delivery; CommandError says why there are none."""
    limit_s = posted.parcel.sensor.timeout_s + MARGIN_S
    first = asyncio.create_task(_first_event(bus, posted))
    failure = asyncio.create_task(_failure(bus, posted))
    finished, pending = await asyncio.wait((first, failure), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    if first in finished:
        first.result()
        return await stored_events(bus, posted)
    name = posted.parcel.sensor.name
    if failure in finished:
        raise CommandError(
            f"{name} could not map {posted.parcel.file}: {failure.result()}",
            "mend the sensor; `loopy deliveries --failed` shows what is kept",
            code=FAILED,
        )
    raise CommandError(f"{name} made no event of {posted.parcel.file} within {limit_s:g}s", code=FAILED)


async def stored_events(bus: "Bus", posted: Posted) -> list[str]:
    """The ids of the events of a delivery that are on the bus by now."""
    from loopy.bus.streams import EVENTS

    found = []
    for event in posted.parcel.sensor.emits:
        for index in range(LARGEST_BATCH):
            identity = _sensed(posted, event, index)
            if await bus.last(EVENTS, bus.subjects.event(event, identity)) is None:
                break
            found.append(identity)
    return found


def _sensed(posted: Posted, event: str, index: int) -> str:
    return sensed_id(posted.parcel.sensor.name, posted.delivery, event, index)


async def _first_event(bus: "Bus", posted: Posted) -> None:
    from loopy.bus.streams import EVENTS

    subjects = [bus.subjects.event(event, _sensed(posted, event, 0)) for event in posted.parcel.sensor.emits]
    async with aclosing(bus.read(EVENTS, subjects, follow=True)) as events:
        async for _ in events:
            return


async def _failure(bus: "Bus", posted: Posted) -> str:
    from loopy.bus.codec import read_failed_delivery
    from loopy.bus.streams import DELIVERIES

    subject = bus.subjects.failed_delivery(posted.parcel.sensor.name, posted.delivery)
    async with aclosing(bus.read(DELIVERIES, [subject], follow=True)) as failures:
        async for message in failures:
            return read_failed_delivery(message).error
    raise AssertionError("the stream of deliveries has no end")
