"""Ingress, the shell: mounts the webhooks and consumes what is stored of them, and polls that are due."""

import asyncio
import os
from contextlib import closing

import structlog

from loopy.bus.plans import PlanStore
from loopy.bus.streams import INGRESS_DELIVERIES, INGRESS_POLLS
from loopy.kit.service import Host
from loopy_services.ingress.calls import Caller
from loopy_services.ingress.core import MAX_EVENTS
from loopy_services.ingress.sensing import Sensing
from loopy_services.ingress.sensors import load_sensors
from loopy_services.ingress.webhooks import Webhooks, doors_of

IN_FLIGHT = 16

_log = structlog.get_logger()


async def serve(host: Host) -> None:
    """Accept deliveries and make events of them until the host stops."""
    doors = doors_of(host.plan, os.environ)
    sensors = load_sensors(host.project, host.plan)
    max_body = min(host.settings.webhook_max_bytes, host.bus.largest_value)
    host.http.mount("/", Webhooks(host.bus, host.clock, doors, host.metrics).app(max_body), protected=False)
    for door in doors:
        if door.verify and not door.secrets:
            _log.warning("webhook.secret_missing", sensor=door.sensor, path=door.path)
    with closing(Caller(MAX_EVENTS)) as caller:
        sensing = Sensing(host.bus, host.clock, host.project, host.plan, sensors, caller, host.metrics)
        await PlanStore(host.bus, host.plan).store()
        host.ready()
        async with asyncio.TaskGroup() as group:
            for consumer, handler in (
                (INGRESS_DELIVERIES, sensing.on_delivery),
                (INGRESS_POLLS, sensing.on_poll),
            ):
                group.create_task(
                    host.bus.consume(
                        consumer,
                        handler,
                        in_flight=IN_FLIGHT,
                        stopping=host.stopping,
                        grace_s=host.settings.grace_s,
                    )
                )
