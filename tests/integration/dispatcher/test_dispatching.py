"""The dispatcher on a real bus: events become runs, runs become attempts, each once."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import nats
import pytest

from loopy.bus import messages
from loopy.bus.claims import ValueLimits
from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.codec import plan_message, record_message
from loopy.bus.dead import read_dead
from loopy.bus.journal import list_runs, read_cascade, read_run
from loopy.bus.messages import Message, Outgoing
from loopy.bus.streams import DEAD, EVENTS, RUNS, TIMERS
from loopy.compiler.plan import Emission, Limits, Plan, Retry, plan_hash
from loopy.runs.cascade import Cascade
from loopy.runs.ids import run_id
from loopy.runs.records import Event, EventRouted, RoutedRun, RunStarted
from loopy_services.dispatcher.service import serve
from tests.support.engine import (
    Behaviour,
    ShiftedClock,
    executing,
    failure_until,
    finished_cascade,
    requested_attempts,
    serving,
    success,
)
from tests.support.facts import NOW, WORK, Facts, emitted, event, plan, step, workflow
from tests.support.waiting import wait_until

EVENT_TYPES = {"Incident": {"title": "str"}, "WorkItem": {"n": "int"}, "Shipped": {}}


def project(*workflows: object, limits: Limits | None = None) -> Plan:
    return plan(*workflows, limits=limits, **EVENT_TYPES)  # type: ignore[arg-type]  # workflows, by their callers


async def outcome_of(
    bus: Bus, of: Plan, *triggers: Event, behaviours: dict[str, Behaviour] | None = None, replicas: int = 1
) -> list[Cascade]:
    """The cascades of these events once they are done, dispatched and executed in this process."""
    async with serving(serve, bus, of, replicas=replicas), executing(bus, behaviours):
        for trigger in triggers:
            await bus.publish_once(event_message(bus.subjects, trigger))
        return [await finished_cascade(bus, trigger.id) for trigger in triggers]


async def requests(bus: Bus) -> list[str]:
    return [f"{each.workflow}/{each.step}.{each.attempt}" for each in await requested_attempts(bus)]


async def dead_letters(bus: Bus) -> list[Message]:
    return [message async for message in bus.read(DEAD, [bus.subjects.under("dead", ">")])]


async def test_a_chain_runs_step_by_step(bus: Bus) -> None:
    chain = project(workflow(step("a"), step("b", "a"), step("c", "b")))
    [cascade] = await outcome_of(bus, chain, event(), behaviours={"a": success(n=1)})
    assert [(s.name, s.progress, s.output) for s in cascade.steps] == [
        ("a", "succeeded", {"n": 1}),
        ("b", "succeeded", {}),
        ("c", "succeeded", {}),
    ]
    assert await requests(bus) == ["w/a.1", "w/b.1", "w/c.1"]
    [_, _, last] = await requested_attempts(bus)
    assert last.inputs == {"a": {"n": 1}, "b": {}}
    [run] = cascade.runs
    assert (run.outcome, run.run) == ("succeeded", run_id("w", "e1"))


async def test_a_diamond_joins_once_and_skips_what_is_not_called_for(bus: Bus) -> None:
    diamond = project(
        workflow(step("a"), step("b", "a"), step("c", "a"), step("s", "a", when="a.n == 2"), step("d", "b", "c", "s"))
    )
    triggers = [event(f"e{n}") for n in range(20)]
    cascades = await outcome_of(bus, diamond, *triggers, behaviours={"a": success(n=1)})
    for cascade in cascades:
        assert [(s.name, s.progress) for s in cascade.steps] == [
            ("a", "succeeded"),
            ("b", "succeeded"),
            ("c", "succeeded"),
            ("s", "skipped"),
            ("d", "succeeded"),
        ]
    assert Counter(await requests(bus)) == {"w/a.1": 20, "w/b.1": 20, "w/c.1": 20, "w/d.1": 20}


async def test_two_dispatchers_at_once_double_nothing(bus: Bus) -> None:
    first = workflow(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c", emits=WORK), name="first")
    second = workflow(step("x"), name="second", on="WorkItem")
    triggers = [event(f"e{n}") for n in range(20)]
    cascades = await outcome_of(
        bus, project(first, second), *triggers, behaviours={"d": success([emitted("WorkItem", n=1)])}, replicas=2
    )
    assert all([run.outcome for run in cascade.runs] == ["succeeded", "succeeded"] for cascade in cascades)
    assert set(Counter(await requests(bus)).values()) == {20}
    assert len(await requests(bus)) == 5 * 20


async def test_one_event_starts_two_workflows_and_both_lead_to_a_third(bus: Bus) -> None:
    of = project(
        workflow(step("a", emits=WORK), name="left"),
        workflow(step("a", emits=WORK), name="right"),
        workflow(step("z"), name="third", on="WorkItem"),
    )
    [cascade] = await outcome_of(bus, of, event(), behaviours={"a": success([emitted("WorkItem", n=1)])})
    assert Counter(run.workflow for run in cascade.runs) == {"left": 1, "right": 1, "third": 2}
    assert len({run.run for run in cascade.runs}) == 4
    assert cascade.root is not None
    assert [run.workflow for run in cascade.root.runs] == ["left", "right"]


async def test_a_failed_attempt_is_retried_by_a_timer_of_the_server(bus: Bus) -> None:
    of = project(workflow(step("a", retry=Retry(3, backoff_s=0.05)), step("b", "a")))
    [cascade] = await outcome_of(bus, of, event(), behaviours={"a": failure_until(3)})
    assert [(s.progress, s.attempts, s.output) for s in cascade.steps] == [
        ("succeeded", 3, {"attempt": 3}),
        ("succeeded", 1, {}),
    ]
    assert await requests(bus) == ["w/a.1", "w/a.2", "w/a.3", "w/b.1"]
    fired = [message async for message in bus.read(TIMERS, [bus.subjects.under("fire", ">")])]
    assert len(fired) == 2


async def test_a_dispatcher_with_a_wrong_clock_retries_in_time(bus: Bus) -> None:
    of = project(workflow(step("a", retry=Retry(2, backoff_s=0.05))))
    ahead = ShiftedClock(datetime.now(UTC) + timedelta(days=365))
    async with serving(serve, bus, of, clock=ahead), executing(bus, {"a": failure_until(2)}):
        await bus.publish_once(event_message(bus.subjects, event()))
        cascade = await finished_cascade(bus, "e1")
    assert [run.outcome for run in cascade.runs] == ["succeeded"]


async def test_a_step_that_never_succeeds_ends_its_run_as_failed(bus: Bus) -> None:
    of = project(workflow(step("a", retry=Retry(2, backoff_s=0.05)), step("b", "a")))
    [cascade] = await outcome_of(bus, of, event(), behaviours={"a": failure_until(9)})
    [run] = cascade.runs
    assert (run.outcome, run.failed_step, run.detail) == (
        "failed",
        "a",
        "gave up after 2 attempts: attempt 2 went wrong",
    )
    assert cascade.failed
    assert [(s.name, s.progress) for s in cascade.steps] == [("a", "failed"), ("b", "blocked")]


async def test_a_limit_of_hops_stops_an_event_loop(bus: Bus) -> None:
    loop = project(workflow(step("a", emits=WORK), name="w", on="WorkItem"), limits=Limits(cascade_hops=3))
    trigger = event("e1", "WorkItem", data={"n": 1})
    [cascade] = await outcome_of(bus, loop, trigger, behaviours={"a": success([emitted("WorkItem", n=1)])})
    assert len(cascade.runs) == 4
    [refusal] = [refusal for each in cascade.events for refusal in each.refused]
    assert (refusal.workflow, refusal.limit, refusal.amount) == ("w", "cascade_hops", 3)


async def test_a_limit_of_runs_holds_across_dispatchers(bus: Bus) -> None:
    of = project(
        workflow(step("a", emits=WORK), name="first"),
        workflow(step("b"), name="second", on="WorkItem"),
        limits=Limits(cascade_runs=5),
    )
    items = [emitted("WorkItem", n=n) for n in range(10)]
    [cascade] = await outcome_of(bus, of, event(), behaviours={"a": success(items)}, replicas=2)
    assert len(cascade.runs) == 5
    assert len([refusal for each in cascade.events for refusal in each.refused]) == 6


async def test_a_strangers_event_starts_a_workflow_and_a_wrong_one_is_set_aside_alone(bus: Bus, nats_url: str) -> None:
    of = project(workflow(step("a")))
    stranger = await nats.connect(nats_url)
    stream = stranger.jetstream()
    async with serving(serve, bus, of), executing(bus):
        await stream.publish(bus.subjects.event("Incident", "bad"), b'{"title": 7}')
        await stream.publish(bus.subjects.event("Incident", "worse"), b"\xff not JSON")
        await stream.publish(bus.subjects.event("Incidnet", "odd"), b'{"title": "x"}')
        await stream.publish(bus.subjects.event("Incident", "good"), b'{"title": "disk full"}')
        cascade = await finished_cascade(bus, "good")
        await wait_until(lambda: dead_letters_are(bus, 3))
    await stranger.close()
    assert [run.outcome for run in cascade.runs] == ["succeeded"]
    dead = [read_dead(message) for message in await dead_letters(bus)]
    assert sorted(letter.reason for letter in dead) == ["bad_payload", "unknown_event", "wrong_type"]
    [wrong] = [letter for letter in dead if letter.reason == "wrong_type"]
    assert "title: " in wrong.detail
    assert len(await requests(bus)) == 1


async def dead_letters_are(bus: Bus, count: int) -> bool:
    return len(await dead_letters(bus)) == count


async def test_a_second_message_on_an_events_subject_is_set_aside(bus: Bus, nats_url: str) -> None:
    of = project(workflow(step("a")))
    stranger = await nats.connect(nats_url)
    async with serving(serve, bus, of), executing(bus):
        await bus.publish_once(event_message(bus.subjects, event("e1")))
        await finished_cascade(bus, "e1")
        await stranger.jetstream().publish(bus.subjects.event("Incident", "e1"), b'{"title":"boom"}')
        await stranger.jetstream().publish(bus.subjects.event("Incident", "e1"), b'{"title": "other"}')
        await wait_until(lambda: dead_letters_are(bus, 1))
    await stranger.close()
    [dead] = [read_dead(message) for message in await dead_letters(bus)]
    assert dead.reason == "duplicate_event"
    assert len(await requests(bus)) == 1


async def test_a_result_of_a_run_that_never_began_is_set_aside(bus: Bus) -> None:
    of = project(workflow(step("a")))
    async with serving(serve, bus, of):
        forged = Facts(workflow(step("a"))).succeeded("a")
        await bus.publish_once(record_message(bus.subjects, forged))
        await wait_until(lambda: dead_letters_are(bus, 1))
    [dead] = [read_dead(message) for message in await dead_letters(bus)]
    assert dead.reason == "unknown_run"


async def test_a_record_on_anothers_subject_is_set_aside(bus: Bus) -> None:
    of = project(workflow(step("a")))
    async with serving(serve, bus, of):
        success = Facts(workflow(step("a"))).succeeded("a")
        place = bus.subjects.result("another", "a", 0, 1)
        await bus.publish_once(Outgoing(place, msgspec.json.encode(success)))
        await wait_until(lambda: dead_letters_are(bus, 1))
    [dead] = [read_dead(message) for message in await dead_letters(bus)]
    assert (dead.reason, await requests(bus)) == ("misplaced", [])


async def test_in_a_rolling_deployment_an_event_waits_for_who_knows_it(bus: Bus) -> None:
    new = plan(workflow(step("a"), on="Novel"), Novel={"title": "str"})
    async with serving(serve, bus, project()):
        await bus.publish_once(plan_message(bus.subjects, new))
        await bus.publish_once(event_message(bus.subjects, event(kind="Novel")))
        await bus.publish_once(event_message(bus.subjects, event("e2", kind="Unheard")))
        await wait_until(lambda: dead_letters_are(bus, 1))
    async with serving(serve, bus, new), executing(bus):
        await finished_cascade(bus, "e1")
    [dead] = [read_dead(message) for message in await dead_letters(bus)]
    assert (dead.subject, dead.reason) == (bus.subjects.event("Unheard", "e2"), "unknown_event")


async def test_a_run_goes_on_by_the_plan_that_it_began_with(bus: Bus) -> None:
    old = project(workflow(step("a"), step("b", "a")))
    new = project(workflow(step("a"), step("other", "a")))
    async with serving(serve, bus, old):
        await bus.publish_once(event_message(bus.subjects, event()))
        await wait_until(lambda: requests_are(bus, ["w/a.1"]))
    async with serving(serve, bus, new), executing(bus):
        await finished_cascade(bus, "e1")
    assert await requests(bus) == ["w/a.1", "w/b.1"]


async def test_a_run_waits_for_its_plan_to_be_on_the_bus(bus: Bus) -> None:
    other = project(workflow(step("a"), step("b", "a")))
    async with serving(serve, bus, project(workflow(step("a")))):
        await route_by(bus, plan_hash(other))
        await bus.publish_once(plan_message(bus.subjects, other))
        await wait_until(lambda: requests_are(bus, ["w/a.1"]))


async def route_by(bus: Bus, plan_hash: str) -> RunStarted:
    """An event that was routed by a dispatcher with this plan, which died before it began the run; the run's start."""
    started = Facts(workflow(step("a"))).started()
    of, run = started.event, RoutedRun(started.run, started.workflow)
    await bus.publish_once(record_message(bus.subjects, EventRouted(of.id, of.type, of.id, plan_hash, NOW, (run,))))
    await bus.publish_once(event_message(bus.subjects, of))
    return started


async def test_a_run_whose_plan_never_comes_ends_as_failed(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "PATIENCE", 1)
    async with serving(serve, bus, project(workflow(step("a")))):
        started = await route_by(bus, "0" * 16)
        await wait_until(lambda: dead_letters_are(bus, 1))
    [dead] = [read_dead(message) for message in await dead_letters(bus)]
    state = await read_run(bus, started.run)
    assert state is not None
    assert state.ended is not None
    assert (dead.reason, state.ended.outcome, state.ended.detail) == ("unknown_plan", "failed", dead.detail)


async def test_a_join_whose_inputs_may_not_be_stored_ends_its_run_as_failed(bus: Bus) -> None:
    bus.limits = ValueLimits(largest_value_bytes=64 << 10)
    diamond = project(workflow(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c")))
    behaviours = {"b": success(text="x" * 40_000), "c": success(text="y" * 40_000)}
    [cascade] = await outcome_of(bus, diamond, event(), behaviours=behaviours)
    [run] = cascade.runs
    assert (run.outcome, [s.progress for s in cascade.steps][-1]) == ("failed", "failed")
    assert "65,536" in str(cascade.steps[-1])
    assert await dead_letters(bus) == []


async def test_an_event_too_large_to_start_a_run_is_set_aside_and_leads_nowhere(bus: Bus) -> None:
    bus.limits = ValueLimits(largest_value_bytes=64 << 10)
    async with serving(serve, bus, project(workflow(step("a")))):
        await bus.publish_once(event_message(bus.subjects, event(data={"title": "x" * 64_000})))
        await wait_until(lambda: dead_letters_are(bus, 1))
    [dead] = [read_dead(message) for message in await dead_letters(bus)]
    assert dead.reason == "too_large"
    assert await list_runs(bus, 10) == []


async def test_an_emitted_event_that_is_not_let_in_leaves_nobody_waiting(bus: Bus) -> None:
    of = project(workflow(step("a", emits=WORK)), workflow(step("b"), name="v", on="WorkItem"))
    [cascade] = await outcome_of(bus, of, event(), behaviours={"a": success([emitted("WorkItem", n="seven")])})
    assert [run.workflow for run in cascade.runs] == ["w"]
    await wait_until(lambda: dead_letters_are(bus, 1))
    [dead] = [read_dead(message) for message in await dead_letters(bus)]
    assert (dead.reason, dead.detail.partition(": ")[0]) == ("wrong_type", "not a `WorkItem`")


async def requests_are(bus: Bus, wanted: list[str]) -> bool:
    return await requests(bus) == wanted


async def test_an_emitted_event_says_where_it_comes_from(bus: Bus) -> None:
    of = project(workflow(step("a", emits=(Emission("Shipped"),))))
    [cascade] = await outcome_of(bus, of, event(), behaviours={"a": success([emitted("Shipped")])})
    shipped = await bus.last(EVENTS, bus.subjects.event("Shipped", cascade.events[1].id))
    assert shipped is not None
    [run] = cascade.runs
    wanted = {"ce-cascade": "e1", "ce-hops": "1", "ce-causerun": run.run, "ce-causestep": "a", "ce-source": "/w/a"}
    assert wanted.items() <= shipped.headers.items()


async def test_the_newest_runs_are_listed_first(bus: Bus) -> None:
    of = project(workflow(step("a", retry=Retry(1))))
    for number in range(5):
        await outcome_of(bus, of, event(f"e{number}"), behaviours={"a": failure_until(2 if number == 3 else 1)})
    listed = await list_runs(bus, 3)
    assert [(run.event, run.outcome) for run in listed] == [("e4", "succeeded"), ("e3", "failed"), ("e2", "succeeded")]
    assert [run.event for run in await list_runs(bus, 50)] == ["e4", "e3", "e2", "e1", "e0"]
    assert len(await list_runs(bus, 5)) == 5


async def test_a_cascade_is_read_as_far_as_it_has_come(bus: Bus) -> None:
    of = project(workflow(step("a"), step("b", "a")))
    assert (await read_cascade(bus, "e1")).root is None
    assert await read_run(bus, run_id("w", "e1")) is None

    async def has_begun() -> bool:
        return [s.progress for s in (await read_cascade(bus, "e1")).steps] == ["running", "waiting"]

    async with serving(serve, bus, of):
        await bus.publish_once(event_message(bus.subjects, event()))
        await wait_until(has_begun)
        assert not (await read_cascade(bus, "e1")).done
        async with executing(bus):
            finished = await finished_cascade(bus, "e1")
    assert [s.progress for s in finished.steps] == ["succeeded", "succeeded"]
    state = await read_run(bus, run_id("w", "e1"))
    assert state is not None
    assert state.ended is not None


@pytest.mark.parametrize("kinds", [("run.start", "run.end"), ("run.routed",)])
async def test_each_fact_is_recorded_once(bus: Bus, kinds: tuple[str, ...]) -> None:
    of = project(workflow(step("a")))
    await outcome_of(bus, of, *(event(f"e{n}") for n in range(5)), replicas=2)
    for kind in kinds:
        facts = [message async for message in bus.read(RUNS, [bus.subjects.under(kind, ">")])]
        assert len(facts) == len({fact.subject for fact in facts}) == 5


async def test_a_run_goes_on_although_a_stranger_took_the_place_of_a_result(bus: Bus) -> None:
    of = project(workflow(step("a", retry=Retry(2, backoff_s=0.1))))
    run = run_id("w", "e1")

    async def requested() -> bool:
        return len(await requests(bus)) == 1

    async with serving(serve, bus, of):
        await bus.publish_once(event_message(bus.subjects, event("e1")))
        await wait_until(requested)
        await bus.publish_once(Outgoing(bus.subjects.result(run, "a", 0, 1), b"{"))
        await wait_until(lambda: dead_letters_are(bus, 1))
        async with executing(bus):
            cascade = await finished_cascade(bus, "e1")
    assert [run.outcome for run in cascade.runs] == ["succeeded"]
    assert [step.attempts for step in cascade.steps] == [2]
