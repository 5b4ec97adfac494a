"""Plans of other deployments: found on the bus, and what becomes of an attempt without one."""

from pathlib import Path

import msgspec
import pytest

from loopy.agents.installed import Runtimes
from loopy.bus.client import Bus
from loopy.bus.messages import PATIENCE, DeadLetter, Message, Outgoing, RetryAfter
from loopy.bus.plans import KEPT_PLANS, PlanStore
from loopy.bus.steering import Steering
from loopy.bus.streams import ATTEMPTS, RUNS
from loopy.clock import SystemClock
from loopy.compiler.plan import Limits, Plan, plan_hash
from loopy.sandboxes.installed import Providers
from loopy_services.executor.execution import Execution
from loopy_services.executor.service import Executor
from tests.integration.executor.desk import failure, planned, publish, requested

OWN, OTHER = planned("true"), planned("false")


@pytest.fixture
def executor(bus: Bus, tmp_path: Path) -> Executor:
    execution = Execution(tmp_path, Runtimes(), Providers(tmp_path), rehearse=True)
    return Executor("x", bus, PlanStore(bus, OWN), execution, SystemClock(), 2, Steering(bus))


async def asked(bus: Bus, plan: Plan, **changes: str) -> Message:
    await publish(bus, requested(plan, **changes))
    message = await bus.last(ATTEMPTS, bus.subjects.under("attempt", ">"))
    assert message is not None
    return message


async def test_a_plan_is_found_by_others_once_it_is_stored(bus: Bus) -> None:
    finder = PlanStore(bus, OWN)
    assert await finder.get(plan_hash(OWN)) is OWN
    assert await finder.get(plan_hash(OTHER)) is None
    for _ in range(2):
        await PlanStore(bus, OTHER).store()
    assert await finder.get(plan_hash(OTHER)) == OTHER


async def test_the_plans_least_recently_used_are_forgotten(bus: Bus) -> None:
    finder = PlanStore(bus, OWN)
    plans = [Plan(limits=Limits(cascade_hops=hops)) for hops in range(1, KEPT_PLANS + 2)]
    for plan in plans:
        await PlanStore(bus, plan).store()
        assert await finder.get(plan_hash(plan)) == plan
    kept = await finder.get(plan_hash(plans[1]))
    assert kept is await finder.get(plan_hash(plans[1]))
    assert len(finder._others) == KEPT_PLANS
    assert plan_hash(plans[0]) not in finder._others


async def test_an_attempt_whose_plan_is_missing_waits_and_is_then_set_aside(bus: Bus, executor: Executor) -> None:
    message = await asked(bus, OTHER)
    assert isinstance(await executor.handle(message), RetryAfter)
    verdict = await executor.handle(msgspec.structs.replace(message, deliveries=PATIENCE))
    assert isinstance(verdict, DeadLetter)
    assert verdict.reason == "unknown_plan"
    assert plan_hash(OTHER) in verdict.detail
    assert (await failure(bus)).reason == "unknown_plan"


async def test_an_attempt_whose_plan_cannot_be_read_has_failed(bus: Bus, executor: Executor) -> None:
    await bus.publish_once(Outgoing(bus.subjects.plan(plan_hash(OTHER)), b"no plan"))
    verdict = await executor.handle(await asked(bus, OTHER))
    failed = await failure(bus)
    assert isinstance(verdict, DeadLetter)
    assert (verdict.reason, failed.reason, failed.retryable) == ("bad_plan", "bad_plan", False)


@pytest.mark.parametrize("changes", [{"workflow": "gone"}, {"step": "gone"}])
async def test_an_attempt_of_an_unknown_step_is_set_aside(
    bus: Bus, executor: Executor, changes: dict[str, str]
) -> None:
    message = await asked(bus, OWN, **changes)
    verdict = await executor.handle(message)
    assert isinstance(verdict, DeadLetter)
    assert verdict.reason == "unknown_step"
    assert await bus.last(RUNS, bus.subjects.results()) is not None
