"""No room for deliveries: senders are told at once, and when to come again; what was accepted is not lost."""

import httpx
import structlog

from loopy.bus.client import Bus
from loopy.bus.streams import DELIVERIES, EVENTS, INGRESS_DELIVERIES, Stream, stream_name
from tests.support.services import Running
from tests.support.waiting import wait_until


async def limit(bus: Bus, stream: Stream, most: int) -> None:
    """Let a stream hold so many messages at most; -1: as many as there are."""
    name = stream_name(bus.subjects, stream)
    config = (await bus._connection.api(f"STREAM.INFO.{name}", {}))["config"]
    await bus._connection.api(f"STREAM.UPDATE.{name}", {**config, "max_msgs": most})


async def test_while_there_is_no_room_for_deliveries_they_are_503_and_afterwards_accepted(
    bus: Bus, ingress: Running, web: httpx.AsyncClient
) -> None:
    await limit(bus, DELIVERIES, 1)
    assert (await web.post("/hooks/none", headers={"Request-ID": "1"})).status_code == 202
    with structlog.testing.capture_logs() as logs:
        refused = await web.post("/hooks/none", headers={"Request-ID": "2"}, timeout=1)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "60")
    assert refused.json()["detail"] == "there is no room for deliveries just now; send it again later"
    assert any(stream_name(bus.subjects, DELIVERIES) in str(line.get("error")) for line in logs)
    repeated = await web.post("/hooks/none", headers={"Request-ID": "1"})
    assert (repeated.status_code, repeated.json()["duplicate"]) == (202, True)
    await limit(bus, DELIVERIES, -1)
    assert (await web.post("/hooks/none", headers={"Request-ID": "2"})).status_code == 202


async def test_where_there_is_no_room_for_events_deliveries_wait_and_become_events_in_the_end(
    bus: Bus, ingress: Running, web: httpx.AsyncClient
) -> None:
    before = (await bus.room(EVENTS)).messages
    await limit(bus, EVENTS, before + 1)
    assert (await web.post("/hooks/many")).status_code == 202

    async def is_full() -> bool:
        return (await bus.room(EVENTS)).messages == before + 1

    await wait_until(is_full)
    await limit(bus, EVENTS, -1)

    async def are_sensed() -> bool:
        return (await bus.room(EVENTS)).messages == before + 3

    await wait_until(are_sensed)

    async def is_acknowledged() -> bool:
        return await bus.lag(INGRESS_DELIVERIES) == 0

    await wait_until(is_acknowledged)
