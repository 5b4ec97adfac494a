"""Ingress, the shell: mounts the webhooks and consumes what is stored of them, and polls that are due."""

import asyncio
from contextlib import closing
from functools import partial

from loopy.bus.plans import PlanStore
from loopy.bus.streams import INGRESS_DELIVERIES, INGRESS_POLLS
from loopy.kit.service import Host
from loopy_services.ingress.calls import Caller
from loopy_services.ingress.core import MAX_EVENTS
from loopy_services.ingress.renewal import Renewal
from loopy_services.ingress.sensing import Sensing
from loopy_services.ingress.webhooks import Webhooks

IN_FLIGHT = 16


async def serve(host: Host) -> None:
    """Accept deliveries and make events of them until the host stops."""
    max_body = min(host.settings.webhook_max_bytes, host.bus.largest_value)
    webhooks = Webhooks(host.bus, host.clock, max_body, host.metrics, host.tracer)
    with closing(Caller(MAX_EVENTS)) as caller:
        renewal = Renewal(host.project, host.plan, webhooks, caller)
        host.http.mount("/", webhooks, protected=False)
        sensing = Sensing(
            host.bus, host.clock, host.project, host.plan, renewal.sensors, caller, host.metrics, host.tracer
        )
        await PlanStore(host.bus, host.plan).store()
        host.current.prepared_by(partial(renewal.prepare, sensing))
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
