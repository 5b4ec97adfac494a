"""What is promised of events, runs and steps, held against the evidence. Each promise yields what breaks it."""

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from tests.crash import expectations
from tests.crash.evidence import Evidence, Stored
from tests.crash.journal import Journal
from tests.crash.lives import Life, Lives, is_failure


class Breach(msgspec.Struct, frozen=True):
    """A promise that is not kept. `may_come`: something is missing, which may only not have happened yet."""

    text: str
    may_come: bool = False


Happening: TypeAlias = tuple[str, Mapping[str, Any]]
Promise: TypeAlias = Callable[[Evidence, Journal, Lives], Iterator[Breach]]


def everything_is_said_once(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """No subject holds two messages: an event, a fact, an attempt, a delivery and a firing are stored once."""
    for subject, messages in evidence.by_subject().items():
        if len(messages) > 1:
            yield Breach(f"{subject} is stored {len(messages)} times")


def nothing_is_set_aside(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """No dead letter, and no delivery that its sensor could not map."""
    for message in (*evidence.of("dead"), *evidence.of("failed")):
        yield Breach(f"{message.subject}: {message.headers or message.payload!r}")


def accepted_deliveries_became_their_events(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """Each delivery that was answered with a 2xx is stored, and its events are there, once each."""
    kept = {message.tokens[-1] for message in evidence.of("delivery")}
    for number in evidence.accepted:
        if f"d-{number}" not in kept:
            yield Breach(f"delivery d-{number} was accepted and is not stored")
    wanted = [event for number in evidence.accepted for event in expectations.sensed(number)]
    found = [
        (message.headers["ce-type"], message.json)
        for message in journal.events.values()
        if message.headers["ce-source"] == "/sensors/orders"
    ]
    yield from _compared("sensed event", wanted, found)


def events_are_routed_once(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """Each event has one route, with a run for each workflow that its type starts, and each of these runs began."""
    for identity, event in journal.events.items():
        routed = journal.routed.get(identity)
        if routed is None:
            yield Breach(f"{event.subject} is not routed", may_come=True)
            continue
        workflows = sorted(run["workflow"] for run in routed.json.get("runs", ()))
        if workflows != sorted(expectations.STARTED_BY[event.headers["ce-type"]]):
            yield Breach(f"{event.subject} is routed to {workflows}")
        yield from (
            Breach(f"{run['workflow']} of {event.subject} has not begun", may_come=True)
            for run in routed.json.get("runs", ())
            if run["run"] not in journal.starts
        )


def runs_follow_from_routes(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """Each run that began stands in one route, that of the event which it says started it."""
    owners = Counter(
        (run["run"], run["workflow"], identity)
        for identity, routed in journal.routed.items()
        for run in routed.json.get("runs", ())
    )
    for run, start in journal.starts.items():
        if owners[run, start.json["workflow"], start.json["event"]["id"]] != 1:
            yield Breach(f"{journal.about(run)} began, and no route says so")


def runs_end_once(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """Each run that began has one outcome, the right one; after it nothing more is recorded of the run's steps.

    One that was cancelled ends as cancelled, or as what it came to just before. One that failed is not ended.
    """
    for run in journal.starts:
        end, about = journal.ends.get(run), journal.about(run)
        *_, (_, _, wanted) = lives.outcomes(run)
        allowed = {wanted, "cancelled"} - {"failed"} if run in journal.cancels else {wanted} - {"failed"}
        if end is None and allowed:
            yield Breach(f"{about} has not ended", may_come=True)
        if end is not None and end.json["outcome"] not in allowed:
            yield Breach(f"{about} ended {end.json['outcome']}, not {wanted}: {end.json.get('detail')}")
        if end is not None and run not in journal.cancels:
            yield from _silent(journal, lives, run, sys.maxsize, end.sequence)
    for run in journal.ends.keys() - journal.starts.keys():
        yield Breach(f"run {run} ended and never began")


def runs_fail_once_until_they_are_resumed(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """A run whose step failed for good has failed, once each time, and nothing is recorded of it until it goes on."""
    for run in journal.starts:
        found = journal.failed.get(run, {})
        for epoch, before, wanted in lives.outcomes(run):
            count = sum(epoch <= at < before for at in found)
            if count != (wanted == "failed") and not (run in journal.cancels and count == 0):
                yield Breach(f"{journal.about(run)} failed {count} times from epoch {epoch} on", may_come=count == 0)
        for epoch, fact in found.items():
            resumed = journal.resumes.get(run, {}).get(epoch + 1)
            until = math.inf if resumed is None else resumed.sequence
            yield from _silent(journal, lives, run, epoch, fact.sequence, until)


def _silent(
    journal: Journal, lives: Lives, run: str, epoch: int, after: float, until: float = math.inf
) -> Iterator[Breach]:
    """What is recorded of the lives that a run's steps have in an epoch, between two facts of the run. Of an earlier
    life, what was under way when it was replaced may yet end."""
    for step in expectations.AFTER[journal.workflow(run)]:
        if (life := lives.at(run, step, epoch)) is None:
            continue
        skip = journal.skipped.get(life.key)
        for fact in (*journal.results.get(life.key, {}).values(), *([skip] if skip else [])):
            if after < fact.sequence < until:
                yield Breach(f"{fact.subject} is recorded after the end of {journal.about(run)}")


def steps_have_one_standing_result(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """Each step ends as it must, after as many failed attempts as it must; each of them was requested, and no other.

    So each time that it was made to run again. It need not come to its end where somebody cut it short.
    """
    known = {life.key for run in journal.starts for life in lives.of(run)}
    for key in (journal.requests.keys() | journal.results.keys() | journal.skipped.keys()) - known:
        yield Breach(f"step {key[1]} of {journal.about(key[0])} has facts of epoch {key[2]}, in which it never began")
    for run in journal.starts:
        for life in lives.of(run):
            yield from _life(journal, life)


def _life(journal: Journal, life: Life) -> Iterator[Breach]:
    about = f"step {life.step} of {journal.about(life.run)} in epoch {life.epoch}"
    requests, results = journal.requests.get(life.key, {}), journal.results.get(life.key, {})
    for what, there in (("attempts", requests), ("results", results)):
        missing = len(there) < life.attempts
        if sorted(there) != list(range(1, life.attempts + 1)) and not (missing and life.is_cut):
            yield Breach(f"{about}: {what} {sorted(there)} of {life.attempts}", may_come=missing)
    if extra := results.keys() - requests.keys():
        yield Breach(f"{about}: results {sorted(extra)} of attempts that were not requested")
    for number, result in results.items():
        if (result.json["step"], result.json["attempt"]) != (life.step, number):
            yield Breach(f"{result.subject} says that it is of attempt {result.json['attempt']}")
        if is_failure(result) != (number <= life.fate.failures) and not _is_late(journal, life, result):
            yield Breach(f"{about}: attempt {number} of {life.attempts} ended {result.payload!r}")
    skipped = life.key in journal.skipped
    if skipped != (life.fate.ends == "skipped") and (skipped or not life.is_cut):
        yield Breach(f"{about} is {'' if skipped else 'not '}skipped", may_come=not skipped)


def _is_late(journal: Journal, life: Life, result: Stored) -> bool:
    """Whether a result is of an attempt that was still executed when its run had been cancelled, or had ended by what
    was made to run anew: whatever it did, its directory may have been removed meanwhile."""
    end = journal.ends.get(life.run)
    if end is None or result.sequence < end.sequence:
        return False
    return life.run in journal.cancels or life.until < end.sequence


def steps_come_after_their_predecessors(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """An attempt is requested after all that its step waits for was settled, and is given what stands of it."""
    for (run, name, epoch), requests in journal.requests.items():
        if run not in journal.starts:
            yield Breach(f"an attempt of {name} is requested for run {run}, which never began")
            continue
        before = [lives.at(run, step, epoch) for step in expectations.AFTER[journal.workflow(run)][name]]
        edits = next((life.edits for life in lives.of(run) if life.key == (run, name, epoch)), {})
        for request in requests.values():
            data = {**journal.data(run), **edits.get("event", {})}
            if request.json["event"]["data"] != data:
                yield Breach(f"{request.subject} was given {request.json['event']['data']}, not {data}")
            for life in before:
                if life is not None:
                    yield from _given(lives, request, life, edits)


def _given(lives: Lives, request: Stored, before: Life, edits: Mapping[str, Mapping[str, Any]]) -> Iterator[Breach]:
    settled, success = lives.settled(before), lives.success(before)
    if settled is None or settled.at_s > request.at_s:
        yield Breach(f"{request.subject} was requested before {before.step} was settled")
    given = request.json["inputs"].get(before.step)
    if success is not None and given != {**success.json.get("output", {}), **edits.get(before.step, {})}:
        yield Breach(f"{request.subject} was given {given} of {before.step}, which is not what stands")


def emitted_events_are_published_once(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """What a step's standing success emits is on the bus, once each, and nothing that no success emitted.

    A step that was made to run again emits again; what it emitted before stays.
    """
    wanted: list[Happening] = []
    found: list[Happening] = []
    for life in (life for run in journal.starts for life in lives.of(run)):
        success = lives.success(life)
        if success is not None:
            emits = [(emitted["event"], emitted["data"]) for emitted in success.json.get("emits", ())]
            if emits != expectations.emitted(life.step, journal.data(life.run)):
                yield Breach(f"{success.subject} emitted {emits}")
            wanted += [(f"{life.run}/{life.step}/{kind}", data) for kind, data in emits]
    for event in journal.events.values():
        if "ce-causerun" in event.headers:
            run, name, kind = (event.headers[f"ce-{part}"] for part in ("causerun", "causestep", "type"))
            found.append((f"{run}/{name}/{kind}", event.json))
    yield from _compared("emitted event", wanted, found)


def _compared(what: str, wanted: Sequence[Happening], found: Sequence[Happening]) -> Iterator[Breach]:
    """What is missing, and what is too many, each counted."""
    due, there = (Counter((kind, repr(sorted(data.items()))) for kind, data in side) for side in (wanted, found))
    for (kind, data), count in (due - there).items():
        yield Breach(f"{what} {kind} {data} is missing {count} times", may_come=True)
    for (kind, data), count in (there - due).items():
        yield Breach(f"{what} {kind} {data} is there {count} times too often")


OF_RUNS: tuple[Promise, ...] = (
    everything_is_said_once,
    nothing_is_set_aside,
    accepted_deliveries_became_their_events,
    events_are_routed_once,
    runs_follow_from_routes,
    runs_end_once,
    runs_fail_once_until_they_are_resumed,
    steps_have_one_standing_result,
    steps_come_after_their_predecessors,
    emitted_events_are_published_once,
)
