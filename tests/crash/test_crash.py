"""While processes of ours and the server are killed and stopped, nothing is lost, doubled or left undone.

The short campaign; `make test-crash` plays the long one. The evidence is then doctored, so that every promise which is
held against it is seen to break.
"""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.crash import promises, times
from tests.crash.campaign import Ended
from tests.crash.evidence import Evidence, Stored
from tests.crash.journal import Journal
from tests.crash.play import SHORT, play
from tests.crash.processes import Exit
from tests.crash.promises import Promise
from tests.crash.report import complaint, summary

SEED = int(os.environ.get("LOOPY_CRASH_SEED", "11"))

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
    return msgspec.structs.replace(evidence, executions=(*evidence.executions, evidence.executions[0]), blows=())


def executed_late(evidence: Evidence) -> Evidence:
    """With an execution long after all was over."""
    late = msgspec.structs.replace(evidence.executions[0], at_s=evidence.executions[-1].at_s + 60)
    return msgspec.structs.replace(evidence, executions=(*evidence.executions, late))


def with_messages(evidence: Evidence, *messages: Stored) -> Evidence:
    return msgspec.structs.replace(evidence, messages=messages)


@pytest.mark.parametrize(
    ("promise", "doctor"),
    [
        (promises.everything_is_said_once, repeat("run.done")),
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
        (promises.runs_end_once, change("run.end", outcome="cancelled")),
        (promises.steps_have_one_standing_result, drop("run.done")),
        (promises.steps_have_one_standing_result, drop("run.skip")),
        (promises.steps_have_one_standing_result, drop("run.fail")),
        (promises.steps_have_one_standing_result, drop("attempt")),
        (promises.steps_have_one_standing_result, change("run.done", attempt=9)),
        (promises.steps_come_after_their_predecessors, too_soon),
        (promises.steps_come_after_their_predecessors, change("run.done", "split", output={"by": "nobody"})),
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
        (times.results_are_of_executions, lambda evidence: msgspec.structs.replace(evidence, executions=())),
        (times.agents_are_executed_again_only_after_a_loss, executed_twice),
        (times.agents_are_executed_again_only_after_a_loss, drop("attempt")),
        (times.what_is_settled_is_not_executed, executed_late),
        (
            times.processes_end_only_when_they_must,
            lambda evidence: msgspec.structs.replace(evidence, exits=(*evidence.exits, Exit("executor-1", 1, 0.0))),
        ),
    ],
)
def test_the_checker_sees_what_is_doctored(ended: Ended, promise: Promise, doctor: Doctor) -> None:
    evidence = doctor(ended.evidence)
    assert list(promise(evidence, Journal(evidence)))
    assert promise in (*promises.OF_RUNS, *times.OF_TIMES)
