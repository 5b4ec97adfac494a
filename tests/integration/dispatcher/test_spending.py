"""Limits of spend on a real bus: an attempt counts once, whoever executed it, and stops what comes after it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.codec import record_message
from loopy.bus.messages import Outgoing
from loopy.bus.plans import PlanStore
from loopy.bus.seal import shared_sealer
from loopy.bus.spending import Entry, Ledger, entry_message
from loopy.bus.streams import RUNS, SPENDING, stream_config
from loopy.clock import SystemClock
from loopy.compiler.plan import Budget, Limits, Plan, Retry, Workflow
from loopy.runs.cascade import Cascade, CascadeRun
from loopy.runs.decide import decide
from loopy.runs.ids import run_id
from loopy.runs.records import AttemptRequested, AttemptSucceeded, Event, RunResumed, Usage
from loopy.runs.spending import day_of
from loopy.runs.state import RunState
from loopy_services.dispatcher.performing import Performer
from loopy_services.dispatcher.service import serve
from tests.support.engine import (
    Answer,
    Behaviour,
    executing,
    failure_until,
    finished_cascade,
    requested_attempts,
    serving,
    success,
)
from tests.support.facts import NOW, WORK, Facts, emitted, event, plan, step, workflow

CHAIN = workflow(step("a"), step("b", "a"), step("c", "b"))


def costing(usd: float, behaviour: Behaviour | None = None) -> Behaviour:
    """Do the same, for so many dollars, and carry back what the request has for it, as executors do."""

    def answer(requested: AttemptRequested) -> Answer:
        result = (behaviour or success())(requested)
        result = msgspec.structs.replace(result, usage=Usage(10, 20, usd), epoch=requested.epoch)
        if isinstance(result, AttemptSucceeded):
            return msgspec.structs.replace(result, carried=requested.carried)
        return result

    return answer


def project(*workflows: Workflow, **limits: Any) -> Plan:
    return plan(*workflows, limits=Limits(**limits), Incident={"title": "str"}, WorkItem={"n": "int"})


async def done(bus: Bus, trigger: Event) -> Cascade:
    await bus.publish_once(event_message(bus.subjects, trigger))
    return await finished_cascade(bus, trigger.id)


async def run_of(bus: Bus, trigger: Event) -> CascadeRun:
    [run] = (await done(bus, trigger)).runs
    return run


async def ledger(bus: Bus) -> list[Entry]:
    everything = [bus.subjects.under("spend", ">")]
    return [msgspec.json.decode(entry.payload, type=Entry) async for entry in bus.read(SPENDING, everything)]


async def test_a_cascade_that_has_spent_its_limit_goes_no_further_and_another_does(bus: Bus) -> None:
    of = project(CHAIN, cascade_usd=1.0)
    async with serving(serve, bus, of, replicas=2), executing(bus, {"a": costing(0.6), "b": costing(0.4)}):
        first = await run_of(bus, event("e1"))
        assert (first.outcome, first.failed_step, first.can_resume) == ("failed", "c", True)
        assert first.detail == "the cascade has spent 1 of 1 USD (limits.cascade.spend)"
        second = await run_of(bus, event("e2"))
    assert [(s.name, s.progress) for s in second.steps] == [("a", "succeeded"), ("b", "succeeded"), ("c", "failed")]
    assert [f"{a.step}.{a.run}" for a in await requested_attempts(bus) if a.step == "c"] == []


async def test_a_limit_counts_what_other_runs_of_the_cascade_spent(bus: Bus) -> None:
    of = project(workflow(step("a", emits=WORK)), workflow(step("z"), name="next", on="WorkItem"), cascade_usd=1.0)
    async with serving(serve, bus, of), executing(bus, {"a": costing(1.5, success([emitted("WorkItem", n=1)]))}):
        cascade = await done(bus, event("e1"))
    [first, second] = cascade.runs
    assert (first.outcome, second.outcome, second.failed_step) == ("succeeded", "failed", "z")
    assert second.detail == "the cascade has spent 1.5 of 1 USD (limits.cascade.spend)"


async def test_attempts_that_two_executors_executed_count_once_and_failed_ones_too(bus: Bus) -> None:
    of = project(workflow(step("a", retry=Retry(5, backoff_s=0.01))), cascade_usd=0.3)
    behaviours = {"a": costing(0.1, failure_until(9))}
    async with serving(serve, bus, of, replicas=2), executing(bus, behaviours), executing(bus, behaviours):
        run = await run_of(bus, event("e1"))
    assert run.detail == "the cascade has spent 0.3 of 0.3 USD (limits.cascade.spend)"
    assert [attempt.attempt for attempt in await requested_attempts(bus)] == [1, 2, 3]
    assert [(e.cascade, e.run, e.usd) for e in await ledger(bus)] == [("e1", run_id("w", "e1"), 0.1)] * 3


async def test_a_run_of_a_workflow_has_a_limit_of_its_own(bus: Bus) -> None:
    of = project(CHAIN, workflow(step("a"), step("b", "a"), name="free"), workflow_usd={"w": 0.5})
    async with serving(serve, bus, of), executing(bus, {"a": costing(0.5)}):
        cascade = await done(bus, event("e1"))
    [free, limited] = cascade.runs
    assert (free.workflow, free.outcome) == ("free", "succeeded")
    assert limited.detail == "the run has spent 0.5 of 0.5 USD (limits.workflows.w.spend)"


async def test_a_days_limit_holds_for_all_and_what_was_spent_on_an_earlier_day_does_not_count(bus: Bus) -> None:
    today = datetime.now(UTC).date()
    for date, usd in ((today - timedelta(days=1), 9.0), (today, 0.5)):
        entry = Entry("old", "w", "r", usd, date.isoformat())
        subject = bus.subjects.spend("old", entry.date, "r", "a", 0, 1)
        await bus.publish_once(Outgoing(subject, msgspec.json.encode(entry)))
    of = project(workflow(step("a")), day_usd=1.0)
    async with serving(serve, bus, of, replicas=2), executing(bus, {"a": costing(0.5)}):
        assert (await run_of(bus, event("e1"))).outcome == "succeeded"
        second = await run_of(bus, event("e2"))
    assert (second.outcome, second.failed_step) == ("failed", "a")
    assert second.detail == f"{today} (UTC) has spent 1 of 1 USD (limits.day.spend)"


async def test_a_run_that_failed_for_its_limit_is_resumed_once_the_limit_is_raised(bus: Bus) -> None:
    behaviours = {"a": costing(1.0), "b": costing(0.1), "c": costing(0.1)}
    async with serving(serve, bus, project(CHAIN, cascade_usd=1.0)), executing(bus, behaviours):
        assert (await run_of(bus, event("e1"))).failed_step == "b"
    async with serving(serve, bus, project(CHAIN, cascade_usd=2.0)), executing(bus, behaviours):
        resumed = RunResumed(run_id("w", "e1"), "w", 1, NOW, "eve", steps=("b", "c"))
        await bus.publish_once(record_message(bus.subjects, resumed))
        [run] = (await finished_cascade(bus, "e1")).runs
        assert run.outcome == "succeeded"


async def test_an_attempt_is_told_the_least_that_is_left(bus: Bus) -> None:
    steps = (step("a", budget=Budget(spend_usd=4)), step("b", "a", budget=Budget(spend_usd=0.5)), step("c", "b"))
    of = project(workflow(*steps), cascade_usd=2.0, day_usd=50)
    async with serving(serve, bus, of), executing(bus, {"a": costing(1.0), "b": costing(0.25)}):
        await run_of(bus, event("e1"))
    assert [attempt.spend_usd for attempt in await requested_attempts(bus)] == [2.0, 0.5, 0.75]


async def test_a_budget_holds_over_all_attempts_of_a_step(bus: Bus) -> None:
    of = project(workflow(step("a", retry=Retry(9, backoff_s=0.01), budget=Budget(spend_usd=0.25))))
    async with serving(serve, bus, of), executing(bus, {"a": costing(0.1, failure_until(99))}):
        run = await run_of(bus, event("e1"))
    assert run.detail == "its budget of 0.25 USD is spent, 0.3 USD so far: attempt 3 went wrong"
    assert [round(attempt.spend_usd or 0, 9) for attempt in await requested_attempts(bus)] == [0.25, 0.15, 0.05]


async def test_a_dispatcher_that_is_lost_between_the_ledger_and_its_decision_counts_nothing_twice(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, crashes = Performer.perform, [True]

    async def interrupted(self: Performer, *args: Any) -> None:
        if crashes and await ledger(bus):
            crashes.clear()
            raise ConnectionError("lost")
        await whole(self, *args)

    monkeypatch.setattr(Performer, "perform", interrupted)
    of = project(CHAIN, cascade_usd=1.0)
    async with serving(serve, bus, of, replicas=2), executing(bus, {"a": costing(0.6), "b": costing(0.3)}):
        assert (await run_of(bus, event("e1"))).outcome == "succeeded"
    assert not crashes
    assert sorted(entry.usd for entry in await ledger(bus)) == [0.3, 0.6]


async def test_an_attempt_that_was_asked_for_before_the_limit_was_reached_goes_on(bus: Bus) -> None:
    of, facts = project(CHAIN, cascade_usd=1.0), Facts(CHAIN)
    plans = PlanStore(bus, of)
    performer = Performer(bus, plans, await shared_sealer(bus), SystemClock())
    begun = decide(CHAIN, RunState(facts.run), facts.started(), NOW)
    await performer.perform(facts.started(), begun)
    entry = Entry("e1", "other", "r", 2.0, NOW.date().isoformat())
    subject = bus.subjects.spend("e1", entry.date, "r", "z", 0, 1)
    await bus.publish_once(Outgoing(subject, msgspec.json.encode(entry)))
    again = Performer(bus, plans, await shared_sealer(bus), SystemClock())
    await again.perform(facts.started(), begun)
    assert await bus.last(RUNS, bus.subjects.result(facts.run, "a", 0, 1)) is None
    other = msgspec.structs.replace(facts.started(), run="r2")
    await again.perform(other, decide(CHAIN, RunState("r2"), other, NOW))
    failed = await bus.last(RUNS, bus.subjects.result("r2", "a", 0, 1))
    assert failed is not None
    assert [attempt.run for attempt in await requested_attempts(bus)] == [facts.run]


async def test_sums_are_the_same_whether_they_were_followed_or_read(bus: Bus) -> None:
    of, late = project(CHAIN, cascade_usd=10), Ledger(bus)
    async with serving(serve, bus, of), executing(bus, {"a": costing(0.1), "b": costing(0.2), "c": costing(0.7)}):
        await done(bus, event("e1"))
    await late.load()
    now = datetime.now(UTC)
    spent = await late.spent("e1", run_id("w", "e1"), now, await bus.position(SPENDING))
    assert (spent.cascade, spent.run, spent.day) == (10**9, 10**9, 10**9)
    assert (await late.spent("e2", "r", now, 0)).cascade == 0
    long_ago = await late.spent("e1", "r", now - timedelta(days=9), 0)
    assert (long_ago.date, long_ago.day) == (spent.date, 10**9)


async def test_no_entry_counts_toward_a_day_that_is_yet_to_come(bus: Bus) -> None:
    sums, now = Ledger(bus), datetime.now(UTC)
    await sums.load()
    following = asyncio.create_task(sums.follow())
    for number, date in enumerate(("9999-12-31", "9998-12-31", day_of(now), "9997-12-31")):
        entry = Entry("e1", "w", "r", 1.0, date)
        subject = bus.subjects.spend("e1", date, "r", "a", 0, number)
        await bus.publish_once(Outgoing(subject, msgspec.json.encode(entry)))
    newest = await bus.position(SPENDING)
    await sums.reach(newest)
    following.cancel()
    spent = await sums.spent("e1", "r", now, newest)
    assert (spent.day, spent.date) == (4 * 10**9, day_of(now))


async def test_a_full_ledger_holds_nobody_up_and_gives_up_its_oldest(bus: Bus) -> None:
    config = {**stream_config(bus.subjects, SPENDING), "max_bytes": 16_384}
    await bus._connection.api(f"STREAM.UPDATE.{config['name']}", config)
    costly = msgspec.structs.replace(Facts(CHAIN).succeeded("a"), usage=Usage(spend_usd=1.0))
    for number in range(100):
        result = msgspec.structs.replace(costly, attempt=number + 1)
        await bus.hurried().publish_once(entry_message(bus, result, f"c{number}", datetime.now(UTC)))
    assert 1 < await bus.oldest(SPENDING) < 100
    sums = Ledger(bus)
    await sums.load()
    now = datetime.now(UTC)
    assert (await sums.spent("c99", costly.run, now, 100)).cascade == 10**9
    assert (await sums.spent("c0", costly.run, now, 1)).cascade == 0
    assert (await sums.spent("c0", costly.run, now, 0)).day == (101 - await bus.oldest(SPENDING)) * 10**9
