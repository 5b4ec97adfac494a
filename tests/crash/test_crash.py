"""While processes of ours and the server are killed and stopped, nothing is lost, doubled or left undone.

The short campaign; `make test-crash` plays the long one. The evidence is then doctored, so that every promise which is
held against it is seen to break.
"""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from loopy.bus.writing import EXPECTED_SEQUENCE
from tests.crash import executions, promises, steering, times
from tests.crash.campaign import PROMISES, Ended
from tests.crash.evidence import Evidence, Stored
from tests.crash.expectations import Fate
from tests.crash.journal import Journal
from tests.crash.lives import Life, Lives
from tests.crash.play import SHORT, play
from tests.crash.processes import Exit
from tests.crash.promises import Promise
from tests.crash.report import complaint, summary

SEED = int(os.environ.get("LOOPY_CRASH_SEED", "11"))

pytestmark = pytest.mark.alone

Doctor = Callable[[Evidence], Evidence]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the campaign leaves its store, logs and project."""
    return tmp_path_factory.mktemp("crash")


@pytest.fixture(scope="module")
def ended(directory: Path) -> Ended:
    """The short campaign, played."""
    return asyncio.run(play(directory, SEED, SHORT))


def test_nothing_is_lost_or_doubled_whatever_is_killed(ended: Ended, directory: Path) -> None:
    assert not ended.breaches, complaint(ended, SEED, directory)
    print(summary(ended))


def one(evidence: Evidence, prefix: str, holding: str) -> Stored:
    """The first message whose subject begins so, and whose payload holds this text."""
    return next(message for message in evidence.of(prefix) if holding.encode() in message.payload)


def drop(prefix: str, holding: str = "") -> Doctor:
    """Without the first message of these."""

    def doctor(evidence: Evidence) -> Evidence:
        dropped = one(evidence, prefix, holding)
        return with_messages(evidence, *(message for message in evidence.messages if message is not dropped))

    return doctor


def repeat(prefix: str) -> Doctor:
    """With the first message of these stored once more."""
    return lambda evidence: with_messages(evidence, *evidence.messages, evidence.of(prefix)[0])


def change(prefix: str, holding: str = "", **fields: Any) -> Doctor:
    """With other fields in the first message of these."""

    def changed(message: Stored) -> Stored:
        return msgspec.structs.replace(message, payload=json.dumps({**message.json, **fields}).encode())

    def doctor(evidence: Evidence) -> Evidence:
        first = one(evidence, prefix, holding)
        return with_messages(evidence, *(changed(m) if m is first else m for m in evidence.messages))

    return doctor


def copy(prefix: str, subject: str) -> Doctor:
    """With the first message of these stored on another subject as well."""
    return lambda evidence: with_messages(
        evidence, *evidence.messages, msgspec.structs.replace(evidence.of(prefix)[0], subject=subject)
    )


def too_soon(evidence: Evidence) -> Evidence:
    """With an attempt requested before there was anything to do."""
    join = one(evidence, "attempt", '"step":"join"')
    soon = msgspec.structs.replace(join, at_s=0.0)
    return with_messages(evidence, *(soon if message is join else message for message in evidence.messages))


def over_before(prefix: str) -> Doctor:
    """With the first fact of these stored before all others of its run."""

    def doctor(evidence: Evidence) -> Evidence:
        first = evidence.of(prefix)[0]
        moved = msgspec.structs.replace(first, sequence=0)
        return with_messages(evidence, *(moved if message is first else message for message in evidence.messages))

    return doctor


def never_passed_over(evidence: Evidence) -> Evidence:
    """Without any mark that a due time was passed over."""
    marks = evidence.of("firing.passed.tally")
    return with_messages(evidence, *(message for message in evidence.messages if message not in marks))


def passed_over_as_well(evidence: Evidence) -> Evidence:
    """With a mark that a due time was passed over which was fired."""
    fired = one(evidence, "firing.cron.tally", "")
    return copy("firing.cron.tally", fired.subject.replace("cron", "passed"))(evidence)


def executed_twice(evidence: Evidence) -> Evidence:
    """With an execution more, and nothing that befell anyone."""
    return msgspec.structs.replace(
        evidence, executions=(*evidence.executions, evidence.executions[0]), blows=(), stalls=()
    )


def executed_late(evidence: Evidence) -> Evidence:
    """With an execution long after all was over."""
    late = msgspec.structs.replace(evidence.executions[0], at_s=evidence.executions[-1].at_s + 60)
    return msgspec.structs.replace(evidence, executions=(*evidence.executions, late))


def without_leases(evidence: Evidence) -> Evidence:
    """Without anything known of leases."""
    return msgspec.structs.replace(evidence, leases=())


def taken_over(evidence: Evidence) -> Evidence:
    """With a lease that another took at once."""
    first = evidence.leases[0]
    payload = json.dumps({**first.json, "executor": "other-1-x"}).encode()
    other = msgspec.structs.replace(first, payload=payload, at_s=first.at_s + 1)
    return msgspec.structs.replace(evidence, leases=(first, other, *evidence.leases[1:]))


def while_paused(evidence: Evidence) -> tuple[str, float]:
    """A run, and a moment just before it was resumed after a pause."""
    lives = Journal(evidence)
    run, pauses = next((run, p) for run, p in lives.pauses.items() if run not in lives.cancels)
    return run, lives.resumes[run][min(pauses) + 1].at_s - 0.1


def executed_while_paused(evidence: Evidence) -> Evidence:
    """With an execution of a run that is paused, though nothing befell anyone."""
    run, at_s = while_paused(evidence)
    one_more = msgspec.structs.replace(evidence.executions[0], run=run, at_s=at_s - evidence.booted_at)
    return msgspec.structs.replace(evidence, executions=(*evidence.executions, one_more), blows=())


def requested_while_paused(evidence: Evidence) -> Evidence:
    """With a retry that is requested while its run is paused."""
    run, at_s = while_paused(evidence)
    subject = f"attempt.default.{run}.left.0.2"
    request = msgspec.structs.replace(evidence.of("attempt")[0], subject=subject, at_s=at_s)
    return msgspec.structs.replace(with_messages(evidence, *evidence.messages, request), blows=())


def with_messages(evidence: Evidence, *messages: Stored) -> Evidence:
    return msgspec.structs.replace(evidence, messages=messages)


RESULT, SUCCESS, FAILURE = "run.result", '"AttemptSucceeded"', '"AttemptFailed"'


@pytest.mark.parametrize(
    ("promise", "doctor"),
    [
        (promises.everything_is_said_once, repeat(RESULT)),
        (promises.everything_is_said_once, repeat("attempt")),
        (promises.nothing_is_set_aside, copy("evt", "dead.EVT.1")),
        (promises.nothing_is_set_aside, copy("evt", "failed.orders.d-1")),
        (promises.accepted_deliveries_became_their_events, drop("evt.Order")),
        (promises.accepted_deliveries_became_their_events, drop("delivery")),
        (promises.accepted_deliveries_became_their_events, copy("evt.Order", "evt.Order.other")),
        (promises.events_are_routed_once, drop("run.routed", "make")),
        (promises.events_are_routed_once, change("run.routed", "make", runs=[])),
        (promises.events_are_routed_once, drop("run.start", "make")),
        (promises.runs_follow_from_routes, copy("run.start", "run.start.other._")),
        (promises.runs_end_once, drop("run.end")),
        (promises.runs_end_once, change("run.end", outcome="failed")),
        (promises.runs_end_once, over_before("run.end")),
        (promises.runs_fail_once_until_they_are_resumed, drop("run.failed")),
        (promises.runs_fail_once_until_they_are_resumed, over_before("run.failed")),
        (promises.steps_have_one_standing_result, drop(RESULT, SUCCESS)),
        (promises.steps_have_one_standing_result, drop("run.skip")),
        (promises.steps_have_one_standing_result, drop(RESULT, FAILURE)),
        (promises.steps_have_one_standing_result, drop("attempt")),
        (promises.steps_have_one_standing_result, change(RESULT, attempt=9)),
        (promises.steps_have_one_standing_result, change(RESULT, FAILURE, record="AttemptSucceeded")),
        (promises.steps_come_after_their_predecessors, too_soon),
        (promises.steps_come_after_their_predecessors, change(RESULT, "split", output={"by": "nobody"})),
        (promises.steps_come_after_their_predecessors, change("attempt", "split", event={"data": {}})),
        (promises.emitted_events_are_published_once, drop("evt.Parcel")),
        (promises.emitted_events_are_published_once, copy("evt.Parcel", "evt.Parcel.other")),
        (times.firings_start_one_run_each, drop("firing.cron.sweep")),
        (times.firings_start_one_run_each, copy("firing.cron.sweep", "firing.cron.sweep.60")),
        (times.no_due_time_is_missed, drop("firing.cron.sweep")),
        (times.no_due_time_is_missed, never_passed_over),
        (times.no_due_time_is_missed, copy("firing.cron.tally", "firing.cron.tally.61")),
        (times.no_due_time_is_missed, passed_over_as_well),
        (times.polls_are_read_once, drop("evt.Reading")),
        (times.polls_are_read_once, drop("firing.polled")),
        (times.polls_are_read_once, change("firing.poll", last_run="2030-01-01T00:00:00Z")),
        (executions.results_are_of_executions, lambda evidence: msgspec.structs.replace(evidence, executions=())),
        (executions.agents_are_executed_again_only_after_a_loss, executed_twice),
        (executions.agents_are_executed_again_only_after_a_loss, drop("attempt")),
        (executions.what_is_settled_is_not_executed, executed_late),
        (executions.executions_are_under_leases, without_leases),
        (executions.executions_are_under_leases, executed_twice),
        (executions.leases_are_taken_over_only_after_a_silence, taken_over),
        (steering.failed_runs_are_looked_after, drop("run.resume", '"hear"')),
        (steering.paused_runs_begin_nothing, executed_while_paused),
        (steering.paused_runs_begin_nothing, requested_while_paused),
        (
            times.processes_end_only_when_they_must,
            lambda evidence: msgspec.structs.replace(evidence, exits=(*evidence.exits, Exit("executor-1", 1, 0.0))),
        ),
    ],
)
def test_the_checker_sees_what_is_doctored(ended: Ended, promise: Promise, doctor: Doctor) -> None:
    evidence = doctor(ended.evidence)
    journal = Journal(evidence)
    assert list(promise(evidence, journal, Lives(journal)))
    assert promise in PROMISES


@pytest.mark.parametrize(("behind", "breaches"), [("0", 1), ("999999", 0)])
def test_a_lease_of_which_the_watch_saw_no_more_than_a_renewal_was_taken_nobody_knows_when(
    ended: Ended, behind: str, breaches: int
) -> None:
    evidence = ended.evidence
    journal = Journal(evidence)
    lives = Lives(journal)
    executed = next(
        each
        for each in evidence.executions
        if each.attempt_of[3] in journal.results.get(each.attempt_of[:3], {})
        and sum(other.attempt_of == each.attempt_of for other in evidence.executions) == 1
    )
    result = journal.results[executed.attempt_of[:3]][executed.attempt_of[3]]
    subject = "lease." + ".".join(map(str, executed.attempt_of))
    renewal = msgspec.structs.replace(
        next(lease for lease in evidence.leases if lease.subject == subject),
        headers={EXPECTED_SEQUENCE: behind},
        at_s=result.at_s + 60,
    )
    others = tuple(lease for lease in evidence.leases if lease.subject != subject)
    doctored = msgspec.structs.replace(evidence, leases=(*others, renewal))
    assert len(list(executions.executions_are_under_leases(doctored, journal, lives))) == breaches


@pytest.mark.parametrize(("until", "late"), [(20, True), (30, False)])
def test_a_result_is_late_that_is_of_a_life_which_another_replaced_before_the_run_ended(until: int, late: bool) -> None:
    end, result = (Stored("RUN", number, "", {}, b"", 0.0) for number in (30, 31))
    journal = cast("Journal", SimpleNamespace(ends={"r": end}, cancels={}))
    life = Life("r", "s", 0, Fate("succeeded"), {}, until, is_cut=False)
    assert promises._is_late(journal, life, result) is late
