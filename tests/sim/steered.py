"""What must hold of runs that people steered, whatever went wrong."""

from collections.abc import Iterator
from math import inf

from loopy.runs.records import AttemptRequested
from tests.sim.entries import Entry
from tests.sim.history import History
from tests.sim.rules import last_settled

# Who is told of everything hears of it so soon, and may have begun something before: each step of it may be late.
HEARD_S = 12.0
# So long it takes one whose line lost something, or who could not reach the server, to hear of what was said meanwhile.
CAUGHT_UP_S = 60.0
DEAFENING = ("lost", "stalled", "went")


def nothing_begins_in_a_paused_run(history: History) -> Iterator[str]:
    """While a run is paused no attempt of it is requested or begun, but for a moment until all have heard of it."""
    for run, journal in history.journals.items():
        for entry, until in journal.pauses():
            for what, who, at in _begun(history, run, entry):
                if entry.time + HEARD_S < at < until - 0.01 and not may_be_deaf(history, who, at):
                    yield f"{what} began at {at:.1f}, though the run was paused at {entry.time:.1f}"


def nobody_works_for_a_cancelled_run(history: History) -> Iterator[str]:
    """Once a run is cancelled, nothing of it begins, and what is under way is stopped."""
    for execution in history.executions:
        cancelled = history.journals[execution.run].cancelled
        if cancelled is None:
            continue
        at = cancelled[0].time
        until = execution.ended or execution.stopped or inf
        if until > at + HEARD_S and not may_be_deaf(history, execution.process, max(at, execution.started) + HEARD_S):
            yield f"{execution.name} went on until {until:.1f}, though the run was cancelled at {at:.1f}"


def cancelled_runs_end_as_cancelled(history: History) -> Iterator[str]:
    """A run that was cancelled while it was under way, or had failed, ends as cancelled."""
    for run, journal in history.journals.items():
        if journal.cancelled is None or journal.ended is None or journal.ended[1].outcome == "cancelled":
            continue
        at, settled = journal.cancelled[0].time, last_settled(journal)
        if settled > at + HEARD_S and not may_be_deaf(history, "dispatcher", settled):
            yield f"run {run} was cancelled at {at:.1f}, went on until {settled:.1f} and {journal.ended[1].outcome}"


def may_be_deaf(history: History, process: str, at: float) -> bool:
    """Whether something broke that explains why a process, or any of its kind, did not hear of something in time."""
    name = process.partition(".")[0]
    return any(
        loss.process.startswith((name, "server"))
        and loss.what.startswith(DEAFENING)
        and at - CAUGHT_UP_S <= loss.time <= at
        for loss in history.losses
    )


def _begun(history: History, run: str, since: Entry) -> Iterator[tuple[str, str, float]]:
    """What was begun or requested of a run, by whom, and when, or by what was known when."""
    yield from ((e.name, e.process, e.started) for e in history.executions if e.run == run)
    for _, asked in history.records(AttemptRequested):
        if asked.run == run:
            decided = since.time + (asked.at - since.kept.time).total_seconds()
            yield f"run {run} {asked.step} epoch {asked.epoch} attempt {asked.attempt}", "dispatcher", decided
