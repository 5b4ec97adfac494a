"""What must hold of every history, whatever went wrong. Each invariant gives a sentence for each breach.

They are told from the stored messages and from what agents saw, by rules of their own: nothing here asks the code that
is under test what should have happened.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

from loopy.runs.ids import emitted_id, firing_id, run_id, sensed_id
from loopy.runs.records import (
    AttemptFailed,
    AttemptRequested,
    AttemptSucceeded,
    Data,
)
from tests.sim.history import Execution, History
from tests.sim.rules import Known, results_of, settled_at, settling

Invariant: TypeAlias = Callable[[History], Iterator[str]]

# Whoever looked up whether something is settled may act on the answer for so long: a request is given up after 2 s.
IN_TRANSIT_S = 5.0
# What somebody reads who decides is no older: a request is given up after 2 s, and a replica lags a moment.
LOOK_S = 2.5
# A loss so long before an execution may still be the reason for it: the patience of a consumer, and a long stall.
ECHO_S = 90.0
# So close to the beginning or the end of scheduling, a due time may be on either side of it.
CLOSE = timedelta(seconds=5)


def everything_settles(history: History) -> Iterator[str]:
    """Once nothing goes wrong any more, everything comes to rest; no service has ended by itself."""
    if not history.settled:
        yield "it never came to rest"
    yield from history.failures


def stored_once(history: History) -> Iterator[str]:
    """Each subject has one message: one route an event, one result a step, one request an attempt, one end a run."""
    counts = Counter((e.stream, e.kept.subject) for e in history.entries if e.stream not in ("TIMER", "EVT", "LEASE"))
    counts += Counter((e.stream, e.kept.subject) for e in history.of("EVT") if e.kept.sequence not in history.planted)
    for (stream, subject), count in counts.items():
        if count > 1:
            yield f"{stream} has {count} messages on {subject}"


def every_event_is_routed(history: History) -> Iterator[str]:
    """Every event and firing is routed, starts exactly the runs that its route names, and each of them ends."""
    firings = history.subjects_of("EVT", "firing", "cron")
    ids = [event.id for _, event in history.events]
    ids += [firing_id(*_firing(subject)) for subject in firings]
    for identity in ids:
        if identity not in history.routed:
            yield f"event {identity} was never routed"
    routed = {run.run for route in history.routed.values() for run in route.runs}
    yield from (f"run {run} was routed and never started" for run in routed - history.started.keys())
    yield from (f"run {run} was started and never routed" for run in history.started.keys() - routed)
    yield from (f"run {run} never ended" for run in history.started.keys() - history.ended.keys())
    yield from (f"run {run} ended and never started" for run in history.ended.keys() - history.started.keys())


def the_right_runs_start(history: History) -> Iterator[str]:
    """An event starts the workflows that wait for it, and no cascade exceeds its limits."""
    limits = history.plan.limits
    runs: Counter[str] = Counter()
    for route in history.routed.values():
        runs[route.cascade] += len(route.runs)
        for started in route.runs:
            if started.run != run_id(started.workflow, route.event):
                yield f"event {route.event} starts a run {started.run} that is not its own"
        wanted = set(history.plan.started_by(route.type))
        given = {run.workflow for run in route.runs} | {refusal.workflow for refusal in route.refused}
        if route.type != "cron" and given != wanted:
            yield f"event {route.event} leads to {sorted(given)} instead of {sorted(wanted)}"
    for cascade, count in runs.items():
        if count > limits.cascade_runs:
            yield f"cascade {cascade} has {count} runs, but may have {limits.cascade_runs}"
    for _, event in history.events:
        if event.hops > limits.cascade_hops and history.routed[event.id].runs:
            yield f"event {event.id} is {event.hops} hops away and still started runs"


def steps_wait_for_what_comes_before(history: History) -> Iterator[str]:
    """A step is requested only when all before it are settled, with exactly their outputs, and only if it is to run."""
    results = results_of(history)
    for entry, asked in history.records(AttemptRequested):
        where = f"run {asked.run} {asked.workflow}/{asked.step} attempt {asked.attempt}"
        known = Known(history, results, asked.run, entry)
        step = history.plan.workflows[asked.workflow].step(asked.step)
        for name in step.after:
            if known.state(name) not in ("succeeded", "skipped"):
                yield f"{where} was requested while {name} was {known.state(name)}"
            elif asked.inputs.get(name) != known.output(name):
                yield f"{where} got {asked.inputs.get(name)} of {name}, whose output is {known.output(name)}"
        if known.is_skipped(step):
            yield f"{where} was requested although it is to be skipped"


def attempts_follow_failures(history: History) -> Iterator[str]:
    """A later attempt follows a failed one, after its backoff, and there are no more than the author allows."""
    failures = {(f.run, f.step, f.attempt): (entry, f) for entry, f in history.records(AttemptFailed)}
    for entry, asked in history.records(AttemptRequested):
        where = f"run {asked.run} {asked.workflow}/{asked.step} attempt {asked.attempt}"
        policy = history.plan.workflows[asked.workflow].step(asked.step).retry
        if asked.attempt > policy.attempts:
            yield f"{where} was requested, but only {policy.attempts} are allowed"
        if asked.attempt == 1:
            continue
        failed = failures.get((asked.run, asked.step, asked.attempt - 1))
        if failed is None or failed[0].time > entry.time:
            yield f"{where} was requested though the one before it had not failed"
        elif not failed[1].retryable:
            yield f"{where} was requested though the one before it failed for good"


def events_are_emitted_once(history: History) -> Iterator[str]:
    """Of each standing result, all events are on the bus, with its data; nothing else is."""
    expected: dict[str, tuple[str, Data]] = {}
    for run, steps in results_of(history).items():
        for name, results in steps.items():
            standing = settling(history.workflow(run).step(name), [r for _, r in results])
            if not isinstance(standing, AttemptSucceeded):
                continue
            numbers: Counter[str] = Counter()
            for emitted in standing.emits:
                identity = emitted_id(run, name, emitted.event, numbers[emitted.event])
                numbers[emitted.event] += 1
                expected[identity] = (emitted.event, emitted.data)
    found = {event.id: (event.type, event.data) for _, event in history.events if event.cause is not None}
    yield from (f"event {i} was emitted by {expected[i]} and is not there" for i in expected.keys() - found.keys())
    yield from (f"event {i} is there and was never emitted" for i in found.keys() - expected.keys())
    yield from (
        f"event {i} has other data than was emitted" for i in expected if found.get(i, expected[i]) != expected[i]
    )


def sensed_events_are_there(history: History) -> Iterator[str]:
    """Every delivery, and every poll that was due, has led to its event."""
    ids = {event.id for _, event in history.events}
    wanted = [sensed_id("hook", subject.rpartition(".")[2], "Begin", 0) for subject in history.subjects_of("DELIVERY")]
    polls = history.subjects_of("EVT", "firing", "poll")
    wanted += [sensed_id("poll", f"poll-{_firing(subject)[1]}", "Begin", 0) for subject in polls]
    yield from (f"sensed event {identity} is not there" for identity in wanted if identity not in ids)


def agents_work_again_only_after_a_loss(history: History) -> Iterator[str]:
    """An attempt is executed again only if its executor may have been lost, and never once its result is known."""
    settled = settled_at(history)
    executed: dict[tuple[str, str, int], list[Execution]] = defaultdict(list)
    for execution in history.executions:
        key = (execution.run, execution.step, execution.attempt)
        where = f"run {execution.run} {execution.step} attempt {execution.attempt} by {execution.process}"
        if execution.started > settled.get(key, execution.started) + IN_TRANSIT_S:
            yield f"{where} was executed at {execution.started:.1f} although settled at {settled[key]:.1f}"
        for before in executed[key]:
            if not _may_be_lost(history, before, execution):
                yield f"{where} was executed again at {execution.started:.1f} though {before.process} was at work"
        executed[key].append(execution)


def agents_work_is_recorded(history: History) -> Iterator[str]:
    """Every attempt that was requested has a result, unless its step or run had been settled by another."""
    settled = settled_at(history)
    for _, asked in history.records(AttemptRequested):
        if (asked.run, asked.step, asked.attempt) not in settled:
            yield f"run {asked.run} {asked.step} attempt {asked.attempt} has no result"


def nothing_is_requested_after_the_end(history: History) -> Iterator[str]:
    """Once a run has ended, no attempt of it is requested; only what was decided before may still be stored."""
    for _, asked in history.records(AttemptRequested):
        end = history.ended.get(asked.run)
        if end is None:
            continue
        too_late_s = (asked.at - end[0].kept.time).total_seconds() - 2 * history.skew_s
        if too_late_s > LOOK_S:
            yield f"run {asked.run} {asked.step} was requested {too_late_s:.1f} s after the run had ended"


def outcomes_are_right(history: History) -> Iterator[str]:
    """A run failed if one of its steps did, was skipped if all were, and else succeeded; then all is settled."""
    results = results_of(history)
    for run, (entry, ended) in history.ended.items():
        known = Known(history, results, run, entry)
        states = {step.name: known.state(step.name) for step in history.workflow(run).steps}
        if "waiting" in states.values():
            yield f"run {run} ended as {ended.outcome} while steps waited: {states}"
        outcome = "failed" if "failed" in states.values() else "succeeded"
        if set(states.values()) == {"skipped"}:
            outcome = "skipped"
        if ended.outcome != outcome:
            yield f"run {run} ended as {ended.outcome}, but its steps are {states}"


def schedules_fire_once(history: History) -> Iterator[str]:
    """Every due time was fired, or passed over with a mark; runs of a schedule overlap only where they may."""
    if history.scheduling is None:
        return
    for name, trigger in history.plan.schedules.items():
        fired = {_firing(subject)[1] for subject in history.subjects_of("EVT", "firing", "cron", name)}
        passed = {_firing(subject)[1] for subject in history.subjects_of("EVT", "firing", "passed", name)}
        marks = passed if trigger.catch_up == "all" else passed | fired
        for at in _minutes(_first_seen(history, name), history.scheduling.until):
            waits = trigger.overlap == "queue" and at > max(fired, default=0) and _was_held(history, name, fired)
            if at not in fired and not any(mark >= at for mark in marks) and not waits:
                yield f"schedule {name} neither fired nor passed over {datetime.fromtimestamp(at, UTC):%H:%M}"
        # What was missed is made up for at once with `catch_up: all`, unless it is to queue.
        if (trigger.catch_up, trigger.overlap) != ("all", "skip") and trigger.overlap != "allow":
            yield from _overlaps(history, name)


def nothing_is_set_aside(history: History) -> Iterator[str]:
    """Only what was planted becomes a dead letter, and all of that does."""
    dead = set(history.subjects_of("DEAD"))
    planted = {history.subjects.dead("EVT", sequence) for sequence in history.planted}
    yield from (f"{subject} was set aside for no reason" for subject in dead - planted)
    yield from (f"{subject} should have been set aside" for subject in planted - dead)


INVARIANTS: tuple[Invariant, ...] = (
    everything_settles,
    stored_once,
    every_event_is_routed,
    the_right_runs_start,
    steps_wait_for_what_comes_before,
    attempts_follow_failures,
    events_are_emitted_once,
    sensed_events_are_there,
    agents_work_again_only_after_a_loss,
    agents_work_is_recorded,
    nothing_is_requested_after_the_end,
    outcomes_are_right,
    schedules_fire_once,
    nothing_is_set_aside,
)


def breaches(history: History) -> list[str]:
    """Every breach of every invariant. Without rest, only that is told: all else would follow from it."""
    restless = [f"everything_settles: {breach}" for breach in everything_settles(history)]
    return restless or [f"{each.__name__}: {breach}" for each in INVARIANTS for breach in each(history)]


def _may_be_lost(history: History, before: Execution, again: Execution) -> bool:
    """Whether something broke that explains why an attempt was given out again."""
    involved = {before.process.partition(".")[0], again.process.partition(".")[0], "server"}
    return any(
        loss.process in involved and before.started - ECHO_S <= loss.time <= again.started for loss in history.losses
    )


def _firing(subject: str) -> tuple[str, int]:
    """The schedule or sensor, and the due time, of a firing's subject."""
    name, at = subject.split(".")[-2:]
    return name, int(at)


def _minutes(since: datetime, until: datetime) -> list[int]:
    """The due times of `* * * * *` in (since, until], with a margin for clocks that are off."""
    first, last = int((since + CLOSE).timestamp()) // 60 + 1, int((until - CLOSE).timestamp()) // 60
    return [minute * 60 for minute in range(first, last + 1)]


def _first_seen(history: History, name: str) -> datetime:
    seen = [e.kept.time for s in history.subjects_of("EVT", "firing", "seen", name).values() for e in s]
    return min(seen)


def _was_held(history: History, schedule: str, fired: set[int]) -> bool:
    """Whether the run of the newest firing was under way when the schedulers were stopped."""
    end = history.ended.get(run_id(schedule, firing_id(schedule, max(fired, default=0))))
    return end is None or history.scheduling is None or end[0].kept.time > history.scheduling.until - CLOSE


def _overlaps(history: History, schedule: str) -> Iterator[str]:
    """Runs of a schedule of which one was fired before the end of the one before it."""
    firings = sorted(
        (
            (_firing(subject)[1], entries[0])
            for subject, entries in history.subjects_of("EVT", "firing", "cron", schedule).items()
        ),
        key=lambda firing: firing[0],
    )
    for (earlier, _), (later, entry) in pairwise(firings):
        run = run_id(schedule, firing_id(schedule, earlier))
        end = history.ended.get(run)
        if end is None or end[0].index > entry.index:
            yield f"schedule {schedule} fired {later} before the run of {earlier} had ended"
