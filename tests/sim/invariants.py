"""What must hold of every history, whatever went wrong. Each invariant gives a sentence for each breach.

They are told from the stored messages and from what agents saw, by rules of their own: nothing here asks the code that
is under test what should have happened.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeAlias

from loopy.runs.ids import firing_id, run_id, sensed_id
from loopy.runs.records import RunEnded, RunFailed
from tests.sim import attempts, limits, steered
from tests.sim.entries import Entry
from tests.sim.history import History
from tests.sim.journal import Journal
from tests.sim.keeping import (
    came_too_late,
    every_run_that_ended_is_archived_whole,
    nothing_is_deleted_that_is_needed,
    wrongly_forsaken,
)
from tests.sim.rules import Known
from tests.sim.schedules import firing_of, schedules_fire_once

Invariant: TypeAlias = Callable[[History], Iterator[str]]


def everything_settles(history: History) -> Iterator[str]:
    """Once nothing goes wrong any more, everything comes to rest; no service has ended by itself."""
    if not history.settled:
        yield "it never came to rest"
    yield from history.failures


def stored_once(history: History) -> Iterator[str]:
    """Each subject has one message: one route an event, one request and one result an attempt, one end a run.

    What is stored of a run that was archived may have been stored before, and deleted; so may what lies beside it.
    """
    others = ("TIMER", "EVT", "LEASE", "SLOT", *(("BLOB",) if history.is_kept else ()))
    kept = [entry for entry in history.entries if entry.stream not in others]
    counts = Counter((entry.stream, entry.kept.subject) for entry in kept if not came_too_late(history, entry))
    counts += Counter((e.stream, e.kept.subject) for e in history.of("EVT") if e.kept.sequence not in history.planted)
    for (stream, subject), count in counts.items():
        if count > 1:
            yield f"{stream} has {count} messages on {subject}"


def large_values_are_there_before_their_messages(history: History) -> Iterator[str]:
    """Whoever finds a message whose payload lies in a blob finds the blob, unless its run was archived before."""
    for entry in (history.entries[index] for index in sorted(history.without_value)):
        if not came_too_late(history, entry):
            yield f"{entry.kept.subject} was stored before its payload"


def every_event_is_routed(history: History) -> Iterator[str]:
    """Every event and firing is routed, and starts exactly the runs that its route names."""
    firings = history.subjects_of("EVT", "firing", "cron")
    ids = [event.id for _, event in history.events]
    ids += [firing_id(*firing_of(subject)) for subject in firings]
    for identity in ids:
        if identity not in history.routed:
            yield f"event {identity} was never routed"
    routed = {run.run for route in history.routed.values() for run in route.runs}
    yield from (f"run {run} was routed and never started" for run in routed - history.started.keys())
    yield from (f"run {run} was started and never routed" for run in history.started.keys() - routed)


def every_run_comes_to_an_end(history: History) -> Iterator[str]:
    """Every run ends, or has failed and nobody resumed it since; and what never began does not end."""
    yield from (f"run {run} never ended" for run, journal in history.journals.items() if not journal.is_over())
    ended = {over.run for _, over in history.records(RunEnded)} | {over.run for _, over in history.records(RunFailed)}
    yield from (f"run {run} ended and never started" for run in ended - history.started.keys())


def the_right_runs_start(history: History) -> Iterator[str]:
    """An event starts the workflows that wait for it, and no cascade exceeds its limits."""
    most = history.plan.limits
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
        if count > most.cascade_runs:
            yield f"cascade {cascade} has {count} runs, but may have {most.cascade_runs}"
    for _, event in history.events:
        if event.hops > most.cascade_hops and history.routed[event.id].runs:
            yield f"event {event.id} is {event.hops} hops away and still started runs"


def outcomes_are_right(history: History) -> Iterator[str]:
    """A run failed if one of its steps did, was skipped if all were, and else succeeded; then all is settled."""
    for run, journal in history.journals.items():
        for entry, failed in journal.failed:
            later = next((after for after, resumed in journal.resumed if resumed.epoch > failed.epoch), entry)
            states = _states(journal, min(entry, later, key=lambda each: each.index))
            if "waiting" in states.values() or states.get(failed.step) != "failed":
                yield f"run {run} failed because of {failed.step}, but its steps are {states}"
        if journal.ended is not None:
            yield from _wrong_end(journal, *journal.ended)


def _wrong_end(journal: Journal, entry: Entry, ended: RunEnded) -> Iterator[str]:
    states = _states(journal, entry)
    if ended.outcome == "cancelled":
        if journal.cancelled is None or journal.cancelled[0].index > entry.index:
            yield f"run {ended.run} ended as cancelled, and nobody had asked for it"
        elif journal.cancelled[1].by != ended.by:
            yield f"run {ended.run} was cancelled by {journal.cancelled[1].by}, not by {ended.by}"
        return
    if ended.outcome == "failed":
        yield from wrongly_forsaken(journal, entry)
        return
    outcome = "skipped" if set(states.values()) == {"skipped"} else "succeeded"
    if ended.outcome != outcome or not set(states.values()) <= {"skipped", "succeeded"}:
        yield f"run {ended.run} ended as {ended.outcome}, but its steps are {states}"


def _states(journal: Journal, before: Entry) -> dict[str, str]:
    known = Known(journal, before)
    return {step.name: known.state(step.name) for step in journal.workflow.steps}


def sensed_events_are_there(history: History) -> Iterator[str]:
    """Every delivery, and every poll that was due, has led to its event."""
    ids = {event.id for _, event in history.events}
    wanted = [sensed_id("hook", subject.rpartition(".")[2], "Begin", 0) for subject in history.subjects_of("DELIVERY")]
    polls = history.subjects_of("EVT", "firing", "poll")
    wanted += [sensed_id("poll", f"poll-{firing_of(subject)[1]}", "Begin", 0) for subject in polls]
    yield from (f"sensed event {identity} is not there" for identity in wanted if identity not in ids)


def nothing_is_set_aside(history: History) -> Iterator[str]:
    """Only what was planted becomes a dead letter, and all of that does.

    So does what was under way for longer than its run was kept, and whose payload was deleted with the run.
    """
    dead = set(history.subjects_of("DEAD"))
    planted = {history.subjects.dead("EVT", sequence) for sequence in history.planted}
    planted |= {history.subjects.dead("RUN", sequence) for sequence, lie in history.lies.items() if lie != "forged"}
    late = [history.entries[index] for index in history.without_value]
    lost = {history.subjects.dead(entry.stream, entry.kept.sequence) for entry in late}
    yield from (f"{subject} was set aside for no reason" for subject in dead - planted - lost)
    gone = {history.subjects.dead("RUN", lie) for lie in history.lies if history.is_deleted("RUN", lie)}
    yield from (f"{subject} should have been set aside" for subject in planted - dead - gone)


INVARIANTS: tuple[Invariant, ...] = (
    everything_settles,
    stored_once,
    large_values_are_there_before_their_messages,
    every_event_is_routed,
    every_run_comes_to_an_end,
    the_right_runs_start,
    attempts.steps_wait_for_what_comes_before,
    attempts.attempts_follow_failures,
    attempts.events_are_emitted_once,
    sensed_events_are_there,
    attempts.agents_work_again_only_after_a_loss,
    attempts.agents_work_is_recorded,
    attempts.nothing_is_requested_after_the_end,
    outcomes_are_right,
    steered.nothing_begins_in_a_paused_run,
    steered.nobody_works_for_a_cancelled_run,
    steered.cancelled_runs_end_as_cancelled,
    limits.runs_wait_for_their_slots,
    limits.no_more_are_under_way_than_a_slot_allows,
    limits.what_was_spent_is_counted_once,
    limits.nothing_begins_beyond_a_limit_of_spend,
    schedules_fire_once,
    nothing_is_set_aside,
    nothing_is_deleted_that_is_needed,
    every_run_that_ended_is_archived_whole,
)


def breaches(history: History) -> list[str]:
    """Every breach of every invariant. Without rest, or without values, only that is told: all else follows from it."""
    first = (everything_settles, large_values_are_there_before_their_messages)
    grave = [f"{each.__name__}: {breach}" for each in first for breach in each(history)]
    return grave or [f"{each.__name__}: {breach}" for each in INVARIANTS for breach in each(history)]
