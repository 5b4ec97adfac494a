"""The scheduler on a real bus, by a clock that shows what the test wants: each due time is fired once."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from loopy.bus.client import Bus
from loopy.bus.codec import Firing, cron_firing_message, poll_done_message, read_firing
from loopy.bus.dead import read_dead
from loopy.bus.journal import list_runs, read_run
from loopy.bus.messages import Outgoing
from loopy.bus.streams import DEAD, EVENTS
from loopy.compiler.plan import CronTrigger, Plan, PollSource, Sensor
from loopy.runs.ids import firing_id, run_id
from loopy_services.dispatcher.service import serve as dispatch
from loopy_services.scheduler.marks import Marks
from loopy_services.scheduler.service import Scheduler, serve
from tests.support.engine import ShiftedClock, executing, serving
from tests.support.facts import plan, step, workflow
from tests.support.waiting import wait_until


def on(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-22T{clock}Z").astimezone(UTC)


def hourly(**policies: str) -> Plan:
    trigger = CronTrigger("0 * * * *", **policies)  # type: ignore[arg-type]  # literals, by the callers
    return plan(workflow(step("a"), name="hourly", on=trigger))


HOURLY = hourly()


async def fired(bus: Bus, kind: str = "cron") -> list[Firing]:
    filters = [bus.subjects.under("firing", kind, ">")]
    return [read_firing(message) async for message in bus.read(EVENTS, filters)]


async def times(bus: Bus) -> list[str]:
    return [f"{firing.scheduled_at:%H:%M}" for firing in await fired(bus)]


async def fired_are(bus: Bus, wanted: list[str]) -> bool:
    return await times(bus) == wanted


async def until_fired(bus: Bus, of: Plan, clock: str, *wanted: str, replicas: int = 1) -> None:
    """Schedule from this time on until all that has ever been fired is this."""
    async with serving(serve, bus, of, clock=ShiftedClock(on(clock)), replicas=replicas):
        await wait_until(lambda: fired_are(bus, list(wanted)))


async def run_data(bus: Bus, at: str) -> Mapping[str, object]:
    """What the run of the firing that was due at a time was given, once it has ended."""
    run = run_id("hourly", firing_id("hourly", int(on(at).timestamp())))

    async def has_ended() -> bool:
        state = await read_run(bus, run)
        return state is not None and state.ended is not None

    await wait_until(has_ended)
    state = await read_run(bus, run)
    assert state is not None
    assert state.started is not None
    return state.started.event.data


async def test_a_firing_leads_to_a_run_that_knows_the_last_one_that_succeeded(bus: Bus) -> None:
    async with serving(dispatch, bus, HOURLY), executing(bus):
        await until_fired(bus, HOURLY, "08:59:59.8", "09:00")
        assert await run_data(bus, "09:00:00") == {"scheduled_at": "2026-11-22T09:00:00Z", "last_run": None}
        await wait_until(lambda: is_marked(bus))
        await until_fired(bus, HOURLY, "09:59:59.8", "09:00", "10:00")
        assert await run_data(bus, "10:00:00") == {
            "scheduled_at": "2026-11-22T10:00:00Z",
            "last_run": "2026-11-22T09:00:00Z",
        }


async def is_marked(bus: Bus) -> bool:
    return [f"{firing.scheduled_at:%H:%M}" for firing in await fired(bus, "done")] == ["09:00"]


async def test_any_number_of_schedulers_fire_once(bus: Bus) -> None:
    async with serving(dispatch, bus, HOURLY), executing(bus):
        await until_fired(bus, HOURLY, "08:59:59.8", "09:00", replicas=3)
        await run_data(bus, "09:00:00")
    assert await times(bus) == ["09:00"]
    assert len(await list_runs(bus, 10)) == 1


async def test_what_was_due_before_a_schedule_was_seen_is_not_fired(bus: Bus) -> None:
    async with serving(serve, bus, HOURLY, clock=ShiftedClock(on("09:00:30"))):
        pass
    assert await times(bus) == []


async def test_a_firing_that_was_due_while_no_scheduler_ran_is_made_up_for(bus: Bus) -> None:
    async with serving(serve, bus, HOURLY, clock=ShiftedClock(on("08:30:00"))):
        pass
    await until_fired(bus, HOURLY, "11:10:00", "11:00")


async def test_all_missed_firings_are_made_up_for_in_order_if_the_author_says_so(bus: Bus) -> None:
    every = hourly(catch_up="all")
    async with serving(serve, bus, every, clock=ShiftedClock(on("08:30:00"))):
        pass
    await until_fired(bus, every, "11:10:00", "09:00", "10:00", "11:00")


async def test_missed_firings_stay_missed_if_the_author_says_so(bus: Bus) -> None:
    none = hourly(catch_up="none")
    async with serving(serve, bus, none, clock=ShiftedClock(on("08:30:00"))):
        pass
    await until_fired(bus, none, "11:59:59.8", "12:00")


async def test_a_schedule_whose_times_changed_counts_anew(bus: Bus) -> None:
    async with serving(serve, bus, HOURLY, clock=ShiftedClock(on("08:30:00"))):
        pass
    changed = plan(workflow(step("a"), name="hourly", on=CronTrigger("30 * * * *")))
    async with serving(serve, bus, changed, clock=ShiftedClock(on("11:10:00"))):
        pass
    assert await times(bus) == []


@pytest.mark.parametrize("strange", ["soon", "99999999999999999999", "4102444800"])
async def test_what_a_stranger_or_a_wrong_clock_left_ahead_of_now_silences_no_schedule(bus: Bus, strange: str) -> None:
    for kind in ("cron", "passed", "done"):
        await bus.publish_once(Outgoing(bus.subjects.under("firing", kind, "hourly", strange), b"{}"))
    async with serving(serve, bus, HOURLY, clock=ShiftedClock(on("08:59:59.8"))):
        await wait_until(lambda: is_fired(bus, "09:00:00"))
    firing = await bus.last(EVENTS, bus.subjects.cron_firing("hourly", int(on("09:00:00").timestamp())))
    assert firing is not None
    assert read_firing(firing).last_run is None


async def is_fired(bus: Bus, at: str) -> bool:
    return await bus.last(EVENTS, bus.subjects.cron_firing("hourly", int(on(at).timestamp()))) is not None


async def test_a_clock_that_was_a_year_ahead_for_a_while_silences_no_schedule(bus: Bus) -> None:
    scheduler = Scheduler(bus, hourly(overlap="allow"))
    await scheduler.start(on("08:30:00"))
    await scheduler.fire(on("08:30:00") + timedelta(days=365))
    assert len(await times(bus)) == 1
    await scheduler.fire(on("09:00:01"))
    assert await is_fired(bus, "09:00:00")


async def test_a_due_time_is_passed_over_for_good_while_the_last_run_is_under_way(bus: Bus) -> None:
    async with serving(dispatch, bus, HOURLY):
        await until_fired(bus, HOURLY, "08:59:59.8", "09:00")
        async with serving(serve, bus, HOURLY, clock=ShiftedClock(on("09:59:59.8"))):
            await wait_until(lambda: was_passed(bus))
        async with executing(bus):
            await run_data(bus, "09:00:00")
        await until_fired(bus, HOURLY, "10:59:59.8", "09:00", "11:00")


async def was_passed(bus: Bus) -> bool:
    return await bus.last(EVENTS, bus.subjects.firing_passed("hourly", int(on("10:00:00").timestamp()))) is not None


async def test_a_queued_due_time_is_fired_when_the_last_run_has_ended(bus: Bus) -> None:
    queued = hourly(overlap="queue")
    async with serving(dispatch, bus, queued):
        await until_fired(bus, queued, "08:59:59.8", "09:00")
        async with serving(serve, bus, queued, clock=ShiftedClock(on("10:00:05"))):
            assert await times(bus) == ["09:00"]
            async with executing(bus):
                await wait_until(lambda: fired_are(bus, ["09:00", "10:00"]))


async def test_a_firing_that_led_to_no_run_is_set_aside_and_blocks_nothing(bus: Bus) -> None:
    async with serving(dispatch, bus, plan(workflow(step("a")))):
        await bus.publish_once(cron_firing_message(bus.subjects, Firing("hourly", on("09:00:00"), None)))
        await wait_until(lambda: has_dead(bus))
    await until_fired(bus, HOURLY, "09:59:59.8", "09:00", "10:00")
    [dead] = [read_dead(message) async for message in bus.read(DEAD, [bus.subjects.under("dead", ">")])]
    assert dead.reason == "unknown_schedule"


@pytest.mark.parametrize("overlap", ["skip", "queue"])
async def test_nonsense_in_the_place_of_a_firing_silences_its_schedule_for_that_time_alone(
    bus: Bus, overlap: str
) -> None:
    schedule = hourly(overlap=overlap)
    await bus.publish_once(Outgoing(bus.subjects.cron_firing("hourly", int(on("09:00:00").timestamp())), b"garbage"))
    async with serving(dispatch, bus, schedule):
        await wait_until(lambda: has_dead(bus))
        async with serving(serve, bus, schedule, clock=ShiftedClock(on("09:59:59.8"))):
            await wait_until(lambda: is_fired(bus, "10:00:00"))


async def has_dead(bus: Bus) -> bool:
    return await bus.last(DEAD, bus.subjects.under("dead", ">")) is not None


async def test_polls_are_fired_at_whole_multiples_and_know_the_last_that_led_to_events(bus: Bus) -> None:
    polling = Plan(sensors={"metrics": Sensor("metrics", "sensors/m.py", PollSource(300), ("Metric",))})
    await bus.publish_once(poll_done_message(bus.subjects, Firing("metrics", on("08:45:00"), None)))
    async with serving(serve, bus, polling, clock=ShiftedClock(on("08:54:59.8")), replicas=2):
        await wait_until(lambda: has_poll(bus))
    assert await fired(bus, "poll") == [Firing("metrics", on("08:55:00"), on("08:45:00"))]


async def has_poll(bus: Bus) -> bool:
    return bool(await fired(bus, "poll"))


async def test_a_scheduler_without_schedules_waits_to_be_told_to_stop(bus: Bus) -> None:
    async with asyncio.timeout(5), serving(serve, bus, Plan()):
        pass
    assert await times(bus) == []


async def test_what_one_scheduler_fired_is_not_passed_over_by_another(bus: Bus) -> None:
    schedulers = [Scheduler(bus, HOURLY), Scheduler(bus, HOURLY)]
    for scheduler in schedulers:
        await scheduler.start(on("08:59:00"))
    for scheduler in schedulers:
        await scheduler.fire(on("09:00:00"))
    assert await times(bus) == ["09:00"]
    assert await bus.last(EVENTS, bus.subjects.under("firing", "passed", ">")) is None


def scheduled(*names: str, expression: str = "0 * * * *") -> Plan:
    return plan(*(workflow(step("a"), name=name, on=CronTrigger(expression)) for name in names))


async def test_a_schedule_that_a_new_plan_has_is_fired_and_one_that_it_has_not_is_not(bus: Bus) -> None:
    async with serving(serve, bus, scheduled("hourly", "old"), clock=ShiftedClock(on("08:59:59"))) as current:
        await current.switch(scheduled("hourly", "new"))
        await wait_until(lambda: names_are(bus, {"hourly", "new"}))
        await current.switch(scheduled("hourly", "new", expression="* * * * *"))
    assert await names_are(bus, {"hourly", "new"})


async def names_are(bus: Bus, wanted: set[str]) -> bool:
    return {firing.schedule for firing in await fired(bus)} == wanted


async def test_a_scheduler_that_sleeps_is_woken_by_a_new_plan(bus: Bus) -> None:
    async with serving(serve, bus, Plan(), clock=ShiftedClock(on("08:59:59.5"))) as current:
        await current.switch(HOURLY)
        async with asyncio.timeout(5):  # without schedules it would have slept for half a minute
            await wait_until(lambda: fired_are(bus, ["09:00"]))


async def test_times_that_a_new_plan_changed_count_from_the_switch_and_what_is_unchanged_goes_on(bus: Bus) -> None:
    scheduler = Scheduler(bus, scheduled("changed", "same"))
    await scheduler.start(on("08:30:00"))
    both = [
        workflow(step("a"), name="changed", on=CronTrigger("50 * * * *")),
        workflow(step("b"), name="same", on=CronTrigger("0 * * * *", overlap="allow")),
    ]
    take = await scheduler.prepare(plan(*both), on("09:55:00"))
    take()
    await scheduler.fire(on("09:56:00"))
    assert [(firing.schedule, f"{firing.scheduled_at:%H:%M}") for firing in await fired(bus)] == [("same", "09:00")]
    await scheduler.fire(on("10:50:01"))
    assert await times(bus) == ["09:00", "10:50", "10:00"]


async def test_only_what_is_new_in_a_plan_is_asked_of_the_bus(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = Scheduler(bus, scheduled("one", "two"))
    await scheduler.start(on("08:30:00"))
    asked: list[str] = []

    async def counts_from(marks: Marks, kind: str, name: str, declared: object, now: datetime) -> datetime:
        asked.append(name)
        return now

    monkeypatch.setattr(Marks, "counts_from", counts_from)
    await scheduler.prepare(scheduled("one", "two", "three"), on("08:40:00"))
    assert asked == ["three"]


async def test_a_plan_that_is_prepared_and_not_taken_changes_nothing(bus: Bus) -> None:
    scheduler = Scheduler(bus, HOURLY)
    await scheduler.start(on("08:30:00"))
    await scheduler.prepare(Plan(), on("08:40:00"))
    await scheduler.fire(on("09:00:01"))
    assert await times(bus) == ["09:00"]


async def test_a_poll_of_another_period_is_fired_at_its_own_times(bus: Bus) -> None:
    def polling(seconds: float) -> Plan:
        return Plan(sensors={"metrics": Sensor("metrics", "sensors/m.py", PollSource(seconds), ("Metric",))})

    async with serving(serve, bus, polling(86_400), clock=ShiftedClock(on("08:54:59.8"))) as current:
        await current.switch(polling(300))
        await wait_until(lambda: has_poll(bus))
    assert [firing.scheduled_at for firing in await fired(bus, "poll")] == [on("08:55:00")]


async def test_the_run_of_a_firing_that_another_scheduler_made_meanwhile_is_waited_for(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = Scheduler(bus, hourly(overlap="queue"))
    await scheduler.start(on("08:30:00"))
    real, others = scheduler._marks.under_way, iter([Firing("hourly", on("09:00:00"), None)])

    async def under_way(workflow: str, fired: datetime | None) -> bool:
        found = await real(workflow, fired)
        for firing in others:
            await bus.publish_once(cron_firing_message(bus.subjects, firing))
        return found

    monkeypatch.setattr(scheduler._marks, "under_way", under_way)
    for now in ("10:00:05", "10:00:06"):
        await scheduler.fire(on(now))
    assert await times(bus) == ["09:00"]
