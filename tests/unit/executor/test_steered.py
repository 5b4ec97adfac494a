"""What an executor does with attempts of runs that people steered, on a bus in memory."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loopy.agents.installed import Runtimes
from loopy.bus.client import Bus
from loopy.bus.codec import record_message
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.messages import Ack, DeadLetter, Message, RetryAfter, Verdict
from loopy.bus.plans import PlanStore
from loopy.bus.steering import Steering
from loopy.bus.subjects import Subjects
from loopy.clock import SystemClock
from loopy.compiler.plan import plan_hash
from loopy.runs.records import AttemptRequested, Record, RunCancelled, RunEnded, RunPaused, RunResumed
from loopy.sandboxes.installed import Providers
from loopy_services.executor.execution import Execution
from loopy_services.executor.service import Executor
from tests.support.facts import Facts, plan, step, workflow
from tests.support.waiting import wait_until

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FLOW = workflow(step("a"))
PLAN = plan(FLOW)
F = Facts(FLOW)


async def handled(
    tmp_path: Path, *facts: Record, unheard: tuple[Record, ...] = (), at: datetime = NOW, follows: bool = False
) -> Verdict:
    """What becomes of the first attempt of a step, which no executor began, when these facts are there before it.

    The executor has heard of them all but for the `unheard`; it hears nothing more, unless it `follows`.
    """
    bus = Bus(MemoryConnection(MemoryServer(), "test"), Subjects("unit"))
    await bus.provision()
    for fact in facts:
        await bus.publish_once(record_message(bus.subjects, fact))
    steering = Steering(bus)
    await steering.load()
    for fact in unheard:
        await bus.publish_once(record_message(bus.subjects, fact))
    execution = Execution(tmp_path, Runtimes(), Providers(tmp_path), rehearse=True)
    executor = Executor("x", bus, PlanStore(bus, PLAN), execution, SystemClock(), 3, steering)
    requested = AttemptRequested(F.run, FLOW.name, "a", 1, plan_hash(PLAN), F.event, {}, 60.0, at)
    sent = record_message(bus.subjects, requested)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(steering.follow()) if follows else None
        await wait_until(lambda: steering.is_current is follows)
        verdict = await executor.handle(Message("ATTEMPT", sent.subject, sent.payload, {}, 1, NOW))
        if following is not None:
            following.cancel()
    return verdict


async def test_an_attempt_of_a_paused_run_waits(tmp_path: Path) -> None:
    paused = RunPaused(F.run, FLOW.name, 0, NOW, "ann")
    assert isinstance(await handled(tmp_path, F.started(), paused), RetryAfter)


async def test_an_attempt_of_a_run_that_ended_while_it_was_paused_does_not_wait_for_ever(tmp_path: Path) -> None:
    paused, ended = RunPaused(F.run, FLOW.name, 0, NOW, "ann"), RunEnded(F.run, FLOW.name, "succeeded", NOW)
    assert await handled(tmp_path, F.started(), paused, ended) == Ack()


async def test_an_attempt_of_an_epoch_that_is_past_is_not_executed_though_nobody_began_it(tmp_path: Path) -> None:
    resumed = RunResumed(F.run, FLOW.name, 1, NOW, "ann", steps=("a",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Executor, "_execute", _refuse)
        assert await handled(tmp_path, F.started(), resumed) == Ack()


async def test_an_executor_that_does_not_hear_of_the_server_looks_whether_a_run_is_paused(tmp_path: Path) -> None:
    paused = RunPaused(F.run, FLOW.name, 0, NOW, "ann")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Executor, "_execute", _refuse)
        verdict = await handled(tmp_path, F.started(), unheard=(paused,), at=SystemClock().now())
    assert isinstance(verdict, RetryAfter)


async def test_an_executor_that_does_not_hear_of_the_server_looks_whether_a_run_was_cancelled(tmp_path: Path) -> None:
    cancelled = RunCancelled(F.run, FLOW.name, NOW, "ann")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Executor, "_execute", _refuse)
        assert await handled(tmp_path, F.started(), unheard=(cancelled,), at=SystemClock().now()) == Ack()


async def test_an_executor_that_hears_of_the_server_begins_without_a_look(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Executor, "_execute", _begun)
        patch.setattr(Executor, "_is_settled", _refuse)
        assert await handled(tmp_path, F.started(), at=SystemClock().now(), follows=True) == DeadLetter("begun", "")


async def _begun(*_: object) -> Verdict:
    return DeadLetter("begun", "")


async def _refuse(*_: object) -> Verdict:
    raise AssertionError("it was executed")
