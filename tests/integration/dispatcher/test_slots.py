"""Concurrency on a real bus: who must wait waits, in order, whatever becomes of the dispatchers."""

from typing import Any

import msgspec
import pytest

from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.codec import record_message
from loopy.bus.journal import read_run
from loopy.bus.plans import PlanStore
from loopy.bus.streams import SLOTS
from loopy.clock import SystemClock
from loopy.compiler.plan import Concurrency, Limits, Plan, Retry, Workflow
from loopy.runs.ids import run_id
from loopy.runs.records import AttemptSucceeded, RunCancelled, RunPaused, RunResumed, Slot
from loopy_services.dispatcher.lines import read_queue
from loopy_services.dispatcher.service import serve
from loopy_services.dispatcher.slots import Slots
from tests.support.admission import admitted, most_under_way
from tests.support.engine import (
    executing,
    failure_until,
    finished_cascade,
    requested_attempts,
    serving,
)
from tests.support.facts import NOW, event, plan, step, workflow
from tests.support.waiting import wait_until

REPO: dict[str, Any] = {"repo": "str"}


def keyed(limit: int = 1, of: str = "w", on: str = "Incident", retry: Retry | None = None) -> Workflow:
    """A workflow of one step that shares the name `deploys`."""
    one = step("a", retry=retry) if retry else step("a")
    concurrency = Concurrency("deploys", "{{ event.repo }}", limit)
    return msgspec.structs.replace(workflow(one, name=of, on=on), concurrency=concurrency)


def project(*workflows: Workflow, **limits: Any) -> Plan:
    return plan(*workflows, limits=Limits(**limits), Incident=REPO, WorkItem=REPO)


async def send(bus: Bus, *identities: str, repo: str = "acme", kind: str = "Incident") -> None:
    for identity in identities:
        await bus.publish_once(event_message(bus.subjects, event(identity, kind, data={"repo": repo})))


async def places(bus: Bus, name: str = "deploys", key: str = "acme") -> list[str]:
    """The runs in a slot's queue."""
    message = await bus.last(SLOTS, bus.subjects.slot(name, key))
    return [] if message is None else [place.run for place in read_queue(message.payload).places]


async def queued(bus: Bus, runs: int, name: str = "deploys", key: str = "acme") -> None:
    async def is_so() -> bool:
        return len(await places(bus, name, key)) == runs

    await wait_until(is_so)


async def succeed(bus: Bus, run: str, of: str = "w") -> None:
    """Have a run's one attempt succeed."""
    success = AttemptSucceeded(run, of, "a", 1, "test", NOW, NOW)
    await bus.publish_once(record_message(bus.subjects, success))


async def requested(bus: Bus, runs: int) -> list[str]:
    """The runs whose attempts were asked for, once there are so many."""

    async def is_so() -> bool:
        return len(await requested_attempts(bus)) >= runs

    await wait_until(is_so)
    return [attempt.run for attempt in await requested_attempts(bus)]


async def test_of_200_runs_on_a_key_never_more_than_3_are_under_way(bus: Bus) -> None:
    events = [f"e{n}" for n in range(200)]
    async with serving(serve, bus, project(keyed(3)), replicas=2):
        await send(bus, *events)
        await queued(bus, 200)
        async with executing(bus):
            for identity in events:
                assert [run.outcome for run in (await finished_cascade(bus, identity)).runs] == ["succeeded"]
        await queued(bus, 0)
    assert await most_under_way(bus) == 3
    assert len(await admitted(bus)) == len(await requested_attempts(bus)) == 200


async def test_runs_are_let_in_in_the_order_in_which_they_came(bus: Bus) -> None:
    events = [f"e{n}" for n in range(8)]
    async with serving(serve, bus, project(keyed()), replicas=2):
        for number, identity in enumerate(events, 1):
            await send(bus, identity)
            await queued(bus, number)
        assert await requested(bus, 1) == [run_id("w", "e0")]
        async with executing(bus):
            for identity in events:
                await finished_cascade(bus, identity)
    assert await admitted(bus) == [run_id("w", identity) for identity in events]


async def test_other_keys_do_not_wait(bus: Bus) -> None:
    async with serving(serve, bus, project(keyed())):
        await send(bus, "e1", "e2")
        await queued(bus, 2)
        await send(bus, "e3", repo="other")
        assert set(await requested(bus, 2)) >= {run_id("w", "e3")}
        assert len(await requested_attempts(bus)) == 2


async def test_workflows_that_share_a_name_wait_for_each_other(bus: Bus) -> None:
    async with serving(serve, bus, project(keyed(of="left"), keyed(of="right", on="WorkItem"))):
        await send(bus, "e1")
        await requested(bus, 1)
        await send(bus, "e2", kind="WorkItem")
        await queued(bus, 2)
        assert await requested(bus, 1) == [run_id("left", "e1")]
        await succeed(bus, run_id("left", "e1"), "left")
        assert await requested(bus, 2) == [run_id("left", "e1"), run_id("right", "e2")]


async def test_a_run_takes_the_slot_of_its_workflow_and_that_of_its_key(bus: Bus) -> None:
    async with serving(serve, bus, project(keyed(5), workflow_concurrency={"w": 2}), replicas=2):
        for number in range(3):
            await send(bus, f"e{number}")
        await requested(bus, 2)
        await queued(bus, 3)
        await queued(bus, 3, "workflow:w", "")
        for number in range(3, 6):
            await send(bus, f"e{number}", repo="other")
        async with executing(bus):
            for number in range(6):
                await finished_cascade(bus, f"e{number}")
        await queued(bus, 0, "workflow:w", "")
        await queued(bus, 0)
    assert await most_under_way(bus) == 2


async def test_a_dispatcher_that_is_lost_between_a_runs_end_and_its_release_blocks_nobody(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, crashes = Slots.leave, [True]

    async def interrupted(self: Slots, run: str, epoch: int, slots: tuple[Slot, ...]) -> None:
        if crashes:
            crashes.clear()
            raise ConnectionError("lost")
        await whole(self, run, epoch, slots)

    monkeypatch.setattr(Slots, "leave", interrupted)
    async with serving(serve, bus, project(keyed()), replicas=2), executing(bus):
        await send(bus, "e1", "e2")
        for identity in ("e1", "e2"):
            assert [run.outcome for run in (await finished_cascade(bus, identity)).runs] == ["succeeded"]
    assert not crashes


async def test_a_dispatcher_that_is_lost_before_it_admits_a_run_blocks_nobody(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, crashes = Slots._see_to, [True]

    async def interrupted(self: Slots, place: Any) -> bool:
        if crashes:
            crashes.clear()
            raise ConnectionError("lost")
        return await whole(self, place)

    monkeypatch.setattr(Slots, "_see_to", interrupted)
    async with serving(serve, bus, project(keyed())), executing(bus):
        await send(bus, "e1")
        assert [run.outcome for run in (await finished_cascade(bus, "e1")).runs] == ["succeeded"]
    assert not crashes


async def test_a_run_that_is_cancelled_while_it_waits_leaves_the_queue(bus: Bus) -> None:
    async with serving(serve, bus, project(keyed())):
        for number, identity in enumerate(("e1", "e2", "e3"), 1):
            await send(bus, identity)
            await queued(bus, number)
        cancelled = RunCancelled(run_id("w", "e2"), "w", NOW, "eve")
        await bus.publish_once(record_message(bus.subjects, cancelled))
        await queued(bus, 2)
        await succeed(bus, run_id("w", "e1"))
        assert await requested(bus, 2) == [run_id("w", "e1"), run_id("w", "e3")]


async def test_a_run_that_failed_gives_its_slot_back_and_waits_again_when_it_is_resumed(bus: Bus) -> None:
    of, first = project(keyed(retry=Retry(1))), run_id("w", "e1")
    async with serving(serve, bus, of):
        async with executing(bus, {"a": failure_until(2)}):
            await send(bus, "e1")
            assert [run.outcome for run in (await finished_cascade(bus, "e1")).runs] == ["failed"]
        await queued(bus, 0)
        await send(bus, "e2")
        await requested(bus, 2)
        resumed = RunResumed(first, "w", 1, NOW, "eve", steps=("a",))
        await bus.publish_once(record_message(bus.subjects, resumed))
        await queued(bus, 2)
        assert len(await requested_attempts(bus)) == 2
        await succeed(bus, run_id("w", "e2"))
        assert (await requested(bus, 3))[-1] == first
        state = await read_run(bus, first)
        assert state is not None
        assert state.admitted


async def test_a_run_that_is_paused_keeps_its_slot_and_goes_on_with_it(bus: Bus) -> None:
    of, first = project(keyed()), run_id("w", "e1")
    async with serving(serve, bus, of):
        await send(bus, "e1")
        await requested(bus, 1)
        await send(bus, "e2")
        await queued(bus, 2)
        for record in (RunPaused(first, "w", 0, NOW, "eve"), RunResumed(first, "w", 1, NOW, "eve")):
            await bus.publish_once(record_message(bus.subjects, record))

        async def is_admitted_again() -> bool:
            return await admitted(bus) == [first, first]

        await wait_until(is_admitted_again)
        assert await places(bus) == [first, run_id("w", "e2")]
        await succeed(bus, first)
        assert await requested(bus, 2) == [first, run_id("w", "e2")]


async def test_a_run_that_comes_into_a_queue_after_its_end_holds_up_nobody(bus: Bus) -> None:
    of, ended = project(keyed()), run_id("w", "e1")
    async with serving(serve, bus, of), executing(bus):
        await send(bus, "e1")
        await finished_cascade(bus, "e1")
        await queued(bus, 0)
        late = Slots(bus, PlanStore(bus, of), SystemClock())
        await late.enter(ended, "w", 0, (Slot("deploys", "acme", 1),))
        assert await places(bus) == []
        await send(bus, "e2")
        await finished_cascade(bus, "e2")


async def test_a_key_that_cannot_be_made_of_the_event_fails_the_run_and_says_so(bus: Bus) -> None:
    of = msgspec.structs.replace(workflow(step("a")), concurrency=Concurrency("deploys", "{{ event.repo | round }}"))
    async with serving(serve, bus, project(of)), executing(bus):
        await send(bus, "e1")
        [run] = (await finished_cascade(bus, "e1")).runs
    assert run.outcome == "failed"
    assert run.detail.startswith("`concurrency.key` cannot be made of the event: ")
    assert await requested_attempts(bus) == []


async def test_a_limit_that_a_new_plan_raises_lets_those_in_who_wait(bus: Bus) -> None:
    async with serving(serve, bus, project(keyed(1))):
        for number in range(3):
            await send(bus, f"e{number}")
            await queued(bus, number + 1)
        assert await requested(bus, 1) == [run_id("w", "e0")]
    async with serving(serve, bus, project(keyed(2))):
        assert await requested(bus, 2) == [run_id("w", "e0"), run_id("w", "e1")]
        await succeed(bus, run_id("w", "e0"))
        assert await requested(bus, 3) == [run_id("w", f"e{n}") for n in range(3)]


async def test_a_limit_that_is_raised_while_all_goes_on_lets_those_in_who_wait(bus: Bus) -> None:
    async with serving(serve, bus, project(keyed(1)), replicas=2) as current:
        for number in range(3):
            await send(bus, f"e{number}")
            await queued(bus, number + 1)
        assert await requested(bus, 1) == [run_id("w", "e0")]
        await current.switch(project(keyed(2)))
        assert await requested(bus, 2) == [run_id("w", "e0"), run_id("w", "e1")]


async def test_a_queue_that_has_no_room_for_a_run_fails_it_and_says_so(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loopy_services.dispatcher.lines.PLACE_BYTES", bus.max_payload // 2)
    async with serving(serve, bus, project(keyed())):
        for number in range(2):
            await send(bus, f"e{number}")
            await queued(bus, number + 1)
        await send(bus, "e2")
        [run] = (await finished_cascade(bus, "e2")).runs
    said = "2 runs hold or wait for `deploys` and key `acme`, which is as many as can (slot_queue)"
    assert (run.outcome, run.detail) == ("failed", said)
