"""What is promised of runs that people steer, held against the evidence. How they end is told by `promises`."""

from collections.abc import Iterator

from tests.crash import expectations
from tests.crash.evidence import Evidence, Stored
from tests.crash.expectations import Steered, steered
from tests.crash.faults import SERVER
from tests.crash.journal import Journal
from tests.crash.lives import Lives, over_at
from tests.crash.promises import Breach, Promise

# How long it may take until everyone knows that a run is paused, once the server and who is to know are at work.
LAG_S = 3.0


def failed_runs_are_looked_after(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """Each complaint that nobody heard was resumed or cancelled, as it was meant to be: so what follows was tried."""
    for run, facts in journal.failed.items():
        if run in journal.starts and 0 in facts:
            meant = steered(journal.workflow(run), journal.data(run))
            if run not in (journal.cancels if meant is Steered.CANCELLED else journal.resumes):
                yield Breach(f"{journal.about(run)} failed and was not {meant}", may_come=True)


def paused_runs_begin_nothing(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """While a run is paused, no attempt of it is requested that follows from what came later, and none is executed."""
    for run, pauses in journal.pauses.items():
        for epoch, pause in pauses.items():
            resume = journal.resumes.get(run, {}).get(epoch + 1)
            if resume is not None and pause.sequence < over_at(journal, run):
                yield from _requested(evidence, journal, lives, pause, resume)
                yield from _executed(evidence, run, pause, resume)


def _requested(evidence: Evidence, journal: Journal, lives: Lives, pause: Stored, resume: Stored) -> Iterator[Breach]:
    """Attempts requested meanwhile. A first one may follow late from what came before the pause, to be held back by
    executors; a later one is requested by a timer, which goes by how the run stands."""
    for (run, name, epoch), requests in journal.requests.items():
        if run != pause.tokens[2] or run not in journal.starts:
            continue
        before = [lives.at(run, step, epoch) for step in expectations.AFTER[journal.workflow(run)][name]]
        causes = [lives.settled(life) for life in before if life is not None]
        follows_late = not any(cause is not None and cause.sequence > pause.sequence for cause in causes)
        for number, request in requests.items():
            at_s = request.at_s - evidence.booted_at
            if not (number == 1 and follows_late) and _is_within(evidence, at_s, pause, resume, None):
                yield Breach(f"{request.subject} was requested though its run was paused")


def _executed(evidence: Evidence, run: str, pause: Stored, resume: Stored) -> Iterator[Breach]:
    for execution in evidence.executions:
        if execution.run == run and _is_within(evidence, execution.at_s, pause, resume, execution.executor):
            yield Breach(f"{execution} took place though its run was paused at {pause.at_s - evidence.booted_at:.2f}")


def _is_within(evidence: Evidence, at_s: float, pause: Stored, resume: Stored, process: int | None) -> bool:
    """Whether something happened while a run was paused, after everyone could know. What stood still knows later; of a
    request it is not told by whom it was made, so that all are waited for."""
    paused_s, resumed_s = (fact.at_s - evidence.booted_at for fact in (pause, resume))
    for blow in evidence.blows:
        concerned = blow.target.startswith(SERVER) or blow.pid == process or (process is None and blow.how == "stop")
        if concerned and blow.begun_s <= at_s and blow.ended_s >= paused_s:
            paused_s = max(paused_s, min(blow.ended_s, at_s))
    return paused_s + LAG_S < at_s < resumed_s


OF_STEERING: tuple[Promise, ...] = (failed_runs_are_looked_after, paused_runs_begin_nothing)
