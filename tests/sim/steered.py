"""What must hold of runs that people steered, whatever went wrong."""

from collections.abc import Iterator

from loopy.runs.records import AttemptRequested
from tests.sim.attempts import ECHO_S, IN_TRANSIT_S
from tests.sim.history import History
from tests.sim.rules import last_settled

# An executor at work asks so often whether what it does is still wanted: a third of its lease, and one look.
LOOKS_EVERY_S = 10.0


def nothing_begins_in_a_paused_run(history: History) -> Iterator[str]:
    """While a run is paused no attempt of it is requested or begun, but for a moment until all have heard of it."""
    for run, journal in history.journals.items():
        for entry, until in journal.pauses():
            begun = [(e.name, e.started) for e in history.executions if e.run == run]
            begun += [
                (f"run {asked.run} {asked.step} epoch {asked.epoch} attempt {asked.attempt}", decided)
                for _, asked in history.records(AttemptRequested)
                if asked.run == run
                for decided in [entry.time + (asked.at - entry.kept.time).total_seconds()]
            ]
            for what, at in begun:
                if entry.time + IN_TRANSIT_S < at < until and not _may_be_late(history, entry.time, at):
                    yield f"{what} began at {at:.1f}, though the run was paused at {entry.time:.1f}"


def nobody_works_for_a_cancelled_run(history: History) -> Iterator[str]:
    """Once a run is cancelled, nothing of it begins, and what is under way is stopped."""
    for execution in history.executions:
        cancelled = history.journals[execution.run].cancelled
        if cancelled is None:
            continue
        at = cancelled[0].time
        until = execution.ended if execution.ended is not None else execution.stopped
        if execution.started > at + IN_TRANSIT_S and not _may_be_late(history, at, execution.started):
            yield f"{execution.name} began at {execution.started:.1f}, though the run was cancelled at {at:.1f}"
        elif (until is None or until > at + LOOKS_EVERY_S) and not _may_be_late(history, at, at + LOOKS_EVERY_S):
            yield f"{execution.name} went on until {until or 0:.1f}, though the run was cancelled at {at:.1f}"


def cancelled_runs_end_as_cancelled(history: History) -> Iterator[str]:
    """A run that was cancelled while it was under way, or had failed, ends as cancelled."""
    for run, journal in history.journals.items():
        if journal.cancelled is None or journal.ended is None or journal.ended[1].outcome == "cancelled":
            continue
        at, settled = journal.cancelled[0].time, last_settled(journal)
        if settled > at + IN_TRANSIT_S and not _may_be_late(history, at, settled):
            yield f"run {run} was cancelled at {at:.1f}, went on until {settled:.1f} and {journal.ended[1].outcome}"


def _may_be_late(history: History, since: float, until: float) -> bool:
    """Whether something broke that explains why somebody did not hear of it at once."""
    return any(since - ECHO_S <= loss.time <= until for loss in history.losses)
