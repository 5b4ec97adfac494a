"""What must hold of attempts and of the agents that execute them, whatever went wrong."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from math import inf

from loopy.runs.ids import emitted_id
from loopy.runs.records import AttemptFailed, AttemptRequested, AttemptSucceeded, Data
from tests.sim.entries import Entry, Execution, Key
from tests.sim.history import History
from tests.sim.journal import Journal, Result
from tests.sim.rules import Known, lied_about, recorded_at, settled_at, settling, unwanted_at
from tests.sim.steered import HEARD_S, may_be_deaf

# Whoever looked up whether something is settled may act on the answer for so long: a request is given up after 2 s.
IN_TRANSIT_S = 5.0
# What somebody reads who decides is no older: a request is given up after 2 s, and a replica lags a moment.
LOOK_S = 2.5
# A loss so long before an execution may still be the reason for it: the patience of a consumer, and a long stall.
ECHO_S = 90.0


def steps_wait_for_what_comes_before(history: History) -> Iterator[str]:
    """A step is requested only when all before it are settled, with exactly their outputs, and only if it is to run."""
    for entry, asked in history.records(AttemptRequested):
        where, journal = _where(asked), history.journals.get(asked.run)
        if journal is None:
            yield f"{where} was requested of a run that never began"
            continue
        known = Known(journal, _decided_by(journal, asked, entry))
        step = journal.workflow.step(asked.step)
        if asked.event.data != known.event(asked.step):
            yield f"{where} got the event {asked.event.data}, which is {known.event(asked.step)}"
        for name in step.after:
            if known.state(name) not in ("succeeded", "skipped"):
                yield f"{where} was requested while {name} was {known.state(name)}"
            elif (got := asked.inputs.get(name)) != (output := known.output(name, asked.step)):
                yield f"{where} got {got} of {name}, whose output is {output}"
        if known.is_skipped(step):
            yield f"{where} was requested although it is to be skipped"


def attempts_follow_failures(history: History) -> Iterator[str]:
    """Attempts of each epoch are numbered from 1; a later one follows a failure, and there are as many as allowed.

    Of an attempt whose run was archived a second failure may be stored, when its event is delivered again after that.
    """
    failures: dict[Key, tuple[Entry, AttemptFailed]] = {}
    for entry, failure in history.records(AttemptFailed):
        failures.setdefault((failure.run, failure.step, failure.epoch, failure.attempt), (entry, failure))
    for entry, asked in history.records(AttemptRequested):
        where = _where(asked)
        policy = history.plan.workflows[asked.workflow].step(asked.step).retry
        if not 1 <= asked.attempt <= policy.attempts:
            yield f"{where} was requested, but only {policy.attempts} are allowed"
        if asked.attempt == 1:
            continue
        failed = failures.get((asked.run, asked.step, asked.epoch, asked.attempt - 1))
        if failed is None or failed[0].time > entry.time:
            yield f"{where} was requested though the one before it had not failed"
        elif not failed[1].retryable:
            yield f"{where} was requested though the one before it failed for good"


def events_are_emitted_once(history: History) -> Iterator[str]:
    """Of the result that stood for a step in each of its epochs, all events are on the bus; nothing else is."""
    expected: dict[str, tuple[str, Data]] = {}
    for success in (each for journal in history.journals.values() for each in _stood(journal)):
        numbers: Counter[str] = Counter()
        for emitted in success.emits:
            index = numbers[emitted.event]
            identity = emitted_id(success.run, success.step, success.epoch, emitted.event, index)
            numbers[emitted.event] += 1
            expected[identity] = (emitted.event, emitted.data)
    found = {event.id: (event.type, event.data) for _, event in history.events if event.cause is not None}
    yield from (f"event {i} was emitted by {expected[i]} and is not there" for i in expected.keys() - found.keys())
    yield from (f"event {i} is there and was never emitted" for i in found.keys() - expected.keys())
    yield from (
        f"event {i} has other data than was emitted" for i in expected if found.get(i, expected[i]) != expected[i]
    )


def agents_work_again_only_after_a_loss(history: History) -> Iterator[str]:
    """An attempt is executed again only if its executor may have been lost, and never once it is settled."""
    executed: dict[Key, list[Execution]] = defaultdict(list)
    lies = lied_about(history)
    for execution in history.executions:
        settled = _settled_long_before(history, execution)
        if settled is not None and execution.key not in lies:
            yield f"{execution.name} was executed at {execution.started:.1f} although settled at {settled:.1f}"
        for before in executed[execution.key]:
            if not _may_be_lost(history, before, execution):
                yield f"{execution.name} was executed again at {execution.started:.1f} though {before.name} was at work"
        executed[execution.key].append(execution)


def agents_work_is_recorded(history: History) -> Iterator[str]:
    """Every attempt that was requested has a result, unless its run ended or its step was made to run again."""
    for _, asked in history.records(AttemptRequested):
        key = (asked.run, asked.step, asked.epoch, asked.attempt)
        if asked.run in history.journals and settled_at(history, key) is None:
            yield f"{_where(asked)} has no result"


def nothing_is_requested_after_the_end(history: History) -> Iterator[str]:
    """Once a run has ended, or failed and was not resumed, no attempt of it is requested by what comes later."""
    for entry, asked in history.records(AttemptRequested):
        journal = history.journals.get(asked.run)
        for over in journal.over() if journal is not None else []:
            too_late_s = (asked.at - over.kept.time).total_seconds() - 2 * history.skew_s
            resumed = any(over.index < again.index < entry.index for again, _ in journal.resumed) if journal else False
            if too_late_s > LOOK_S and not resumed:
                yield f"{_where(asked)} was requested {too_late_s:.1f} s after the run had ended"


def _settled_long_before(history: History, execution: Execution) -> float | None:
    """When an attempt was settled that was begun all the same, so long after that nobody may; None when it was not.

    A result is looked up by whoever is given an attempt again. What people had its run do is not: who is given it for
    the first time knows of that by being told, as of a pause, and may be told as late (`steered`); delivery.md promises
    that such an agent is stopped within moments, not that it never begins.
    """
    recorded, unwanted = recorded_at(history, execution.key), unwanted_at(history, execution.key)
    if recorded is not None and execution.started > recorded + IN_TRANSIT_S:
        return recorded
    is_late = unwanted is not None and execution.started > unwanted + HEARD_S
    return unwanted if is_late and not may_be_deaf(history, execution.process, execution.started) else None


def _where(asked: AttemptRequested) -> str:
    return f"run {asked.run} {asked.workflow}/{asked.step} epoch {asked.epoch} attempt {asked.attempt}"


def _decided_by(journal: Journal, asked: AttemptRequested, entry: Entry) -> Entry:
    """The entry before which all lies that a request was decided on: its own, or what made its step run again."""
    anew = journal.begun_anew(asked.step, asked.epoch)
    return entry if anew is None or anew.index > entry.index else anew


def _stood(journal: Journal) -> Iterator[AttemptSucceeded]:
    """The successes that stood for their steps, in each epoch."""
    results: dict[tuple[str, int], list[Result]] = defaultdict(list)
    for _, result in journal.counted():
        results[result.step, result.epoch].append(result)
    for (step, _), some in results.items():
        stood = settling(journal.workflow.step(step), some)
        if isinstance(stood, AttemptSucceeded):
            yield stood


def _may_be_lost(history: History, before: Execution, again: Execution) -> bool:
    """Whether something broke that explains why an attempt was given out again.

    While the one executes it, another may only if the lease was not renewed; that an attempt comes again is no reason.
    """
    involved = {before.process.partition(".")[0], again.process.partition(".")[0], "server"}
    at_work = again.started < min(before.ended or inf, before.stopped or inf)
    return any(
        loss.process in involved
        and before.started - ECHO_S <= loss.time <= again.started
        and not (at_work and loss.what == "forgot")
        for loss in history.losses
    )
