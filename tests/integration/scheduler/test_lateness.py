"""A process stood still while its run was archived: what it then says or does changes nothing any more."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.codec import record_message
from loopy.bus.streams import ATTEMPTS, DISPATCHER_RUNS, LEASES, executor_consumer
from loopy.clock import SystemClock
from loopy.runs.ids import run_id
from loopy.runs.lateness import LATE
from loopy.runs.records import AttemptSucceeded
from loopy_services.dispatcher.service import serve as dispatch
from loopy_services.scheduler.janitor import Janitor
from tests.integration.executor.desk import done, planned, publish, requested
from tests.integration.scheduler.test_janitor import NOTHING, TOMBSTONES, a_run, left_of
from tests.support.engine import executing, finished_cascade, requested_attempts, serving
from tests.support.facts import event, plan, step, workflow
from tests.support.services import services, settings_for
from tests.support.waiting import wait_until

LONG_AGO = datetime.now(UTC) - LATE - timedelta(minutes=1)
CHAIN = plan(workflow(step("a"), step("b", "a")))


async def test_a_result_that_arrives_once_its_run_is_archived_leads_to_nothing(bus: Bus) -> None:
    run = run_id("w", "e1")
    async with serving(dispatch, bus, CHAIN), executing(bus):
        await bus.publish_once(event_message(bus.subjects, event()))
        await finished_cascade(bus, "e1")
    request = (await requested_attempts(bus))[0]
    assert (request.step, request.carried is None) == ("a", False)
    await Janitor(bus, SystemClock(), NOTHING).look()
    assert await left_of(bus, run) == TOMBSTONES
    async with serving(dispatch, bus, CHAIN):
        head = request.result_head("x", LONG_AGO, LONG_AGO)
        late = AttemptSucceeded(*head, carried=request.carried)
        assert (await bus.publish_once(record_message(bus.subjects, late))).first

        async def is_consumed() -> bool:
            return await bus.lag(DISPATCHER_RUNS) == 0

        await wait_until(is_consumed)
    assert await requested_attempts(bus) == []


@pytest.mark.usefixtures("dealt_with")
async def test_an_attempt_that_was_long_under_way_is_not_executed_once_its_run_is_archived(
    bus: Bus, nats_url: str, namespace: str, tmp_path: Path
) -> None:
    of = planned(f"echo x >> {tmp_path}/agents; echo '{{}}'")
    run = await a_run(bus)
    await Janitor(bus, SystemClock(), NOTHING).look()
    assert await bus.last_each(LEASES, [bus.subjects.leases_of(run)]) == []
    await publish(bus, requested(of, run=run, at=LONG_AGO), requested(of, run="other", at=LONG_AGO))
    async with services(["executor"], tmp_path, settings_for(nats_url, namespace), plan=of):
        await done(bus, "other")

        async def is_consumed() -> bool:
            return await bus.lag(executor_consumer("default")) == 0

        await wait_until(is_consumed)
    assert (tmp_path / "agents").read_text().split() == ["x"]
    assert len(await bus.last_each(ATTEMPTS, [bus.subjects.attempts_of("*")])) == 2
