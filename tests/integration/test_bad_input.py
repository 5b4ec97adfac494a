"""Nonsense where a fact belongs keeps no run from its outcome, and is set aside with the reason."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import nats
import pytest
from nats.js.errors import APIError

from loopy.bus import messages
from loopy.bus.claims import ValueLimits
from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.deadletters import list_dead
from loopy.bus.journal import read_run
from loopy.bus.messages import Outgoing
from loopy.bus.plans import PlanStore
from loopy.bus.spending import Ledger
from loopy.bus.steer import steer_run
from loopy.bus.streams import PLANS, SLOTS
from loopy.bus.subjects import Subjects
from loopy.clock import SystemClock
from loopy.compiler.plan import Concurrency, Limits, Retry, plan_hash
from loopy.runs.ids import emitted_id, run_id
from loopy.runs.records import AttemptRequested, Usage
from loopy.runs.spending import day_of
from loopy.runs.steer import Asked, Cancel, Pause, Resume, Wish
from loopy_services.dispatcher.lines import read_queue
from loopy_services.dispatcher.service import serve
from loopy_services.scheduler.forsaken import Forsaken
from loopy_services.scheduler.janitor import Janitor
from loopy_services.scheduler.service import Scheduler
from tests.integration.scheduler.test_firing import HOURLY, is_fired, on
from tests.integration.scheduler.test_janitor import NOTHING
from tests.support.engine import (
    Answer,
    executing,
    failure_until,
    finished_cascade,
    requested_attempts,
    serving,
    success,
)
from tests.support.facts import WORK, emitted, event, plan, step, workflow
from tests.support.waiting import wait_until

RUN = run_id("w", "e1")
TWICE = Retry(2, backoff_s=0.05)
STEPS = (step("a", retry=TWICE), step("s", "a", when="a.attempt == 1"), step("b", "a", retry=TWICE, emits=WORK))
WORKFLOW = msgspec.structs.replace(workflow(*STEPS), concurrency=Concurrency("deploys", "", 1))
PROJECT = plan(WORKFLOW, limits=Limits(day_usd=1000.0), Incident={"title": "str"}, WorkItem={"n": "int"})
LARGE = b'{"title": "%b"}' % (b"x" * 4_000_000)
NONSENSE = (b"{", b'{"record":"RunVanished","run":"x"}')

PLACES: dict[str, Callable[[Subjects], str]] = {
    "the route": lambda s: s.routed("e1", "e1"),
    "the start": lambda s: s.start(RUN),
    "the slot": lambda s: s.slot("deploys", ""),
    "the admission": lambda s: s.admit(RUN, 0),
    "an attempt": lambda s: s.attempt("default", RUN, "a", 0, 1),
    "a result": lambda s: s.result(RUN, "b", 0, 1),
    "a result that nobody asked for": lambda s: s.result(RUN, "a", 0, 9),
    "a timer": lambda s: s.timer(RUN, "a", 0, 2),
    "what a timer publishes": lambda s: s.fire(RUN, "a", 0, 2),
    "an entry of what was spent": lambda s: s.spend("e1", day_of(datetime.now(UTC)), RUN, "a", 0, 1),
    "a skip": lambda s: s.skip(RUN, "s", 0),
    "an emitted event": lambda s: s.event("WorkItem", emitted_id(RUN, "b", 0, "WorkItem", 0)),
    "the end": lambda s: s.end(RUN),
    "a cancel": lambda s: s.cancel(RUN),
    "a resume": lambda s: s.resume(RUN, 1),
}


def fails_once(requested: AttemptRequested) -> Answer:
    """Fail the first attempt; each costs half a dollar."""
    return msgspec.structs.replace(failure_until(2)(requested), usage=Usage(spend_usd=0.5))


BEHAVIOURS = {"a": fails_once, "b": success([emitted("WorkItem", n=1)])}


async def reasons(bus: Bus) -> dict[str, str]:
    """Why each subject's message was set aside."""
    return {found.letter.subject: found.letter.reason for found in await list_dead(bus)}


async def set_aside(bus: Bus, subject: str) -> str:
    """Why what lay on this subject was set aside, once it was."""

    async def is_so() -> bool:
        return subject in await reasons(bus)

    await wait_until(is_so)
    return (await reasons(bus))[subject]


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("place", PLACES)
async def test_nonsense_that_was_there_first_keeps_no_run_from_its_outcome(
    bus: Bus, place: str, nonsense: bytes
) -> None:
    subject = PLACES[place](bus.subjects)
    as_it_is = place != "an emitted event"  # any object may be an event's data
    await bus.publish_once(Outgoing(subject, nonsense if as_it_is else b"[%b]" % nonsense))
    async with serving(serve, bus, PROJECT), executing(bus, BEHAVIOURS):
        await bus.publish_once(event_message(bus.subjects, event("e1")))
        cascade = await finished_cascade(bus, "e1")
        assert await set_aside(bus, subject)
    assert [run.outcome for run in cascade.runs] == ["succeeded"]
    assert [(s.name, s.progress) for s in cascade.steps] == [("a", "succeeded"), ("s", "skipped"), ("b", "succeeded")]
    assert [e.type for e in cascade.events] == ["Incident", "WorkItem"]
    ledger = Ledger(bus)
    await ledger.load()
    assert (await ledger.spent("e1", RUN, datetime.now(UTC), 0)).run == 1_000_000_000


async def test_nonsense_cannot_be_laid_over_a_fact(bus: Bus, nats_url: str) -> None:
    stranger = await nats.connect(nats_url)
    async with serving(serve, bus, PROJECT), executing(bus, BEHAVIOURS):
        await bus.publish_once(event_message(bus.subjects, event("e1")))
        await finished_cascade(bus, "e1")
        for place in ("the route", "the start", "the admission", "a result", "a skip", "the end"):
            with pytest.raises(APIError, match="per subject"):
                await stranger.jetstream().publish(PLACES[place](bus.subjects), b"{")
    await stranger.close()


@pytest.mark.parametrize(
    ("wish", "place"),
    [
        (Pause(), lambda s: s.pause(RUN, 0)),
        (Cancel(), lambda s: s.cancel(RUN)),
        (Resume(), lambda s: s.resume(RUN, 1)),
    ],
)
async def test_nonsense_keeps_nobody_from_steering(bus: Bus, wish: Wish, place: Callable[[Subjects], str]) -> None:
    now = datetime.now(UTC)
    async with serving(serve, bus, PROJECT):
        await bus.publish_once(event_message(bus.subjects, event("e1")))
        await wait_until(lambda: has_begun(bus))
        if wish == Resume():
            assert (await steer_run(bus, RUN, Asked(Pause(), "ada"), now)).record is not None
        await bus.publish_once(Outgoing(place(bus.subjects), b"{"))
        result = await steer_run(bus, RUN, Asked(wish, "ada"), now)
        assert (result.record is not None, result.refused) == (True, None)
        assert await set_aside(bus, place(bus.subjects)) == "bad_record"


async def has_begun(bus: Bus) -> bool:
    return len(await requested_attempts(bus)) == 1


async def test_nonsense_in_the_place_of_a_failure_keeps_no_run_from_having_failed(bus: Bus) -> None:
    await bus.publish_once(Outgoing(bus.subjects.failed(RUN, 0), b"{"))
    async with serving(serve, bus, PROJECT), executing(bus, {"a": failure_until(9)}):
        await bus.publish_once(event_message(bus.subjects, event("e1")))
        cascade = await finished_cascade(bus, "e1")
    assert [(run.outcome, run.failed_step) for run in cascade.runs] == [("failed", "a")]
    assert await set_aside(bus, bus.subjects.failed(RUN, 0)) == "bad_record"


async def test_those_who_wait_for_a_slot_get_it_though_nonsense_was_laid_over_its_queue(bus: Bus) -> None:
    async def all_wait() -> bool:
        found = await bus.last(SLOTS, bus.subjects.slot("deploys", ""))
        return found is not None and len(read_queue(found.payload).places) == 3

    async with serving(serve, bus, PROJECT):
        for number in range(1, 4):
            await bus.publish_once(event_message(bus.subjects, event(f"e{number}")))
        await wait_until(all_wait)
    subject = bus.subjects.slot("deploys", "")
    queue = await bus.last(SLOTS, subject)
    assert queue is not None
    assert await bus.publish_after(Outgoing(subject, b"{"), scope=subject, sequence=queue.sequence)
    async with serving(serve, bus, PROJECT), executing(bus, BEHAVIOURS):
        for number in range(1, 4):
            [run] = (await finished_cascade(bus, f"e{number}")).runs
            assert run.outcome == "succeeded"


async def test_a_run_that_nonsense_says_has_ended_is_not_archived(bus: Bus) -> None:
    async with serving(serve, bus, PROJECT):
        await bus.publish_once(event_message(bus.subjects, event("e1")))
        await wait_until(lambda: has_begun(bus))
        await bus.publish_once(Outgoing(bus.subjects.end(RUN), b"{"))
        janitor = Janitor(bus, SystemClock(), NOTHING)
        for _ in range(2):
            await janitor.look()
        assert len(await requested_attempts(bus)) == 1
        assert await set_aside(bus, bus.subjects.end(RUN)) == "bad_record"
        async with executing(bus, BEHAVIOURS):
            await finished_cascade(bus, "e1")
        await wait_until(lambda: is_archived(janitor, bus))


async def test_a_failed_run_is_ended_in_time_though_nonsense_lies_in_its_ends_place(bus: Bus) -> None:
    async with serving(serve, bus, PROJECT), executing(bus, {"a": failure_until(9)}):
        await bus.publish_once(event_message(bus.subjects, event("e1")))
        await finished_cascade(bus, "e1")
    await bus.publish_once(Outgoing(bus.subjects.end(RUN), b"{"))
    await Forsaken(bus, NOTHING).look(datetime.now(UTC))
    state = await read_run(bus, RUN)
    assert state is not None
    assert state.ended is not None
    assert state.ended.outcome == "failed"


async def is_archived(janitor: Janitor, bus: Bus) -> bool:
    await janitor.look()
    return await requested_attempts(bus) == []


@pytest.mark.parametrize(
    "nonsense", [b"{", b'{"schedule":"other","scheduled_at":"2026-11-22T08:00:00Z","last_run":null}']
)
async def test_nonsense_in_the_place_of_a_firing_does_not_silence_its_schedule(bus: Bus, nonsense: bytes) -> None:
    subject = bus.subjects.cron_firing("hourly", int(on("08:00:00").timestamp()))
    await bus.publish_once(Outgoing(subject, nonsense))
    scheduler = Scheduler(bus, HOURLY)
    await scheduler.start(on("07:30:00"))
    async with serving(serve, bus, HOURLY):
        assert await set_aside(bus, subject) in ("bad_firing", "misplaced")
    await scheduler.fire(on("09:00:01"))
    assert await is_fired(bus, "09:00:00")


@pytest.mark.parametrize("nonsense", [b"{", b""])
async def test_a_plan_that_is_nonsense_is_stored_again_by_whoever_serves_it(bus: Bus, nonsense: bytes) -> None:
    place = bus.subjects.plan(plan_hash(PROJECT))
    await bus.publish_once(Outgoing(place, nonsense))
    await PlanStore(bus, PROJECT).store()
    assert await PlanStore(bus, HOURLY).get(plan_hash(PROJECT)) == PROJECT
    assert await set_aside(bus, place) == "bad_plan"


async def test_a_run_whose_plan_is_gone_ends_with_the_reason(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "PATIENCE", 1)
    async with serving(serve, bus, PROJECT):
        await bus.publish_once(event_message(bus.subjects, event("e1")))
        await wait_until(lambda: has_begun(bus))
    gone = await bus.last(PLANS, bus.subjects.plan(plan_hash(PROJECT)))
    assert gone is not None
    await bus.delete(PLANS, gone.sequence)
    async with serving(serve, bus, HOURLY), executing(bus, BEHAVIOURS):
        [run] = (await finished_cascade(bus, "e1")).runs
    assert (run.outcome, plan_hash(PROJECT) in run.detail) == ("failed", True)
    assert "unknown_plan" in (await reasons(bus)).values()


@pytest.mark.parametrize(
    ("kind", "headers", "payload", "reason"),
    [
        ("Incident", {"ce-type": "Another"}, b'{"title": "x"}', "bad_header"),
        ("Incident", {"ce-id": "another"}, b'{"title": "x"}', "bad_header"),
        ("Incident", {"ce-specversion": "0.3"}, b'{"title": "x"}', "bad_header"),
        ("Incident", {"ce-time": "soon"}, b'{"title": "x"}', "bad_header"),
        ("Incident", {"ce-time": "2026-11-22T09:00:00"}, b'{"title": "x"}', "bad_header"),
        ("Incident", {"ce-hops": "-1"}, b'{"title": "x"}', "bad_header"),
        ("Incident", {"ce-cascade": "another"}, b'{"title": "x"}', "bad_header"),
        ("Incident", {"ce-causerun": "r"}, b'{"title": "x"}', "bad_header"),
        ("Incident", {"ce-source": "%zz"}, b'{"title": "x"}', "bad_header"),
        ("Incident", {"ce-datacontenttype": "text/plain"}, b'{"title": "x"}', "bad_header"),
        ("Incident", {"Content-Type": "application/cloudevents+json"}, b"{}", "bad_header"),
        ("Incident", {}, b"", "bad_payload"),
        ("Incident", {}, b"\xff", "bad_payload"),
        ("Incident", {}, b"[1]", "bad_payload"),
        ("Incident", {}, b'{"title": 1}', "wrong_type"),
        ("Incident", {}, b"{}", "wrong_type"),
        ("Unheard", {}, b"{}", "unknown_event"),
        ("cron", {}, b"{}", "unknown_event"),
        ("Incident", {}, LARGE, "too_large"),
        ("Incident", {"ce-cascade": "e0", "ce-hops": "999999"}, b'{"title": "x"}', ""),
        ("Incident", {"traceparent": "nonsense", "ce-odd": "x", "x": ""}, b'{"title": "x"}', ""),
        ("Incident", {}, b'{"title": "x"}', ""),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_strangers_event_is_processed_or_set_aside_with_the_reason(
    bus: Bus, nats_url: str, kind: str, headers: dict[str, str], payload: bytes, reason: str
) -> None:
    bus.limits = ValueLimits(largest_value_bytes=2 << 20)
    subject = bus.subjects.event(kind, "e1")
    stranger = await nats.connect(nats_url)
    async with serving(serve, bus, PROJECT), executing(bus, BEHAVIOURS):
        await stranger.jetstream().publish(subject, payload, headers=headers or None)
        if reason:
            assert await set_aside(bus, subject) == reason
        else:
            cascade = await finished_cascade(bus, headers.get("ce-cascade", "e1"))
            assert cascade.runs or any(each.refused for each in cascade.events)
    await stranger.close()
