"""What is promised of events, runs and steps, held against the evidence. Each promise yields what breaks it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from tests.crash import expectations
from tests.crash.evidence import Evidence
from tests.crash.journal import Journal, StepOf


class Breach(msgspec.Struct, frozen=True):
    """A promise that is not kept. `may_come`: something is missing, which may only not have happened yet."""

    text: str
    may_come: bool = False


Happening: TypeAlias = tuple[str, Mapping[str, Any]]
Promise: TypeAlias = Callable[[Evidence, Journal], Iterator[Breach]]


def everything_is_said_once(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
    """No subject holds two messages: an event, a fact, an attempt, a delivery and a firing are stored once."""
    for subject, messages in evidence.by_subject().items():
        if len(messages) > 1:
            yield Breach(f"{subject} is stored {len(messages)} times")


def nothing_is_set_aside(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
    """No dead letter, and no delivery that its sensor could not map."""
    for message in (*evidence.of("dead"), *evidence.of("failed")):
        yield Breach(f"{message.subject}: {message.headers or message.payload!r}")


def accepted_deliveries_became_their_events(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
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


def events_are_routed_once(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
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


def runs_follow_from_routes(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
    """Each run that began stands in one route, that of the event which it says started it."""
    owners = Counter(
        (run["run"], run["workflow"], identity)
        for identity, routed in journal.routed.items()
        for run in routed.json.get("runs", ())
    )
    for run, start in journal.starts.items():
        if owners[run, start.json["workflow"], start.json["event"]["id"]] != 1:
            yield Breach(f"{journal.about(run)} began, and no route says so")


def runs_end_once(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
    """Each run that began has one outcome, the right one; after it nothing more is recorded of the run's steps."""
    for run in journal.starts:
        end = journal.ends.get(run)
        if end is None:
            yield Breach(f"{journal.about(run)} has not ended", may_come=True)
            continue
        wanted = expectations.outcome(journal.workflow(run), journal.data(run))
        if end.json["outcome"] != wanted:
            yield Breach(f"{journal.about(run)} ended {end.json['outcome']}, not {wanted}: {end.json.get('detail')}")
        for step in expectations.AFTER[journal.workflow(run)]:
            for fact in journal.settled((run, step)):
                if fact.sequence > end.sequence:
                    yield Breach(f"{fact.subject} is recorded after the end of {journal.about(run)}")
    for run in journal.ends.keys() - journal.starts.keys():
        yield Breach(f"run {run} ended and never began")


def steps_have_one_standing_result(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
    """Each step ends as it must, after as many failed attempts as it must; each of them was requested, and no other."""
    for run in journal.starts:
        for name in expectations.AFTER[journal.workflow(run)]:
            yield from _step(journal, (run, name))


def _step(journal: Journal, step: StepOf) -> Iterator[Breach]:
    run, name = step
    fate = expectations.fate(name, journal.data(run))
    about = f"step {name} of {journal.about(run)}"
    done, failures, requests = journal.done.get(step), journal.failures.get(step, {}), journal.requests.get(step, {})
    attempts = fate.failures + (fate.ends == "succeeded")
    if sorted(requests) != list(range(1, attempts + 1)):
        yield Breach(f"{about}: attempts {sorted(requests)} of {attempts}", may_come=len(requests) < attempts)
    if sorted(failures) != list(range(1, fate.failures + 1)):
        reasons = [failure.json["detail"] for failure in failures.values()]
        yield Breach(f"{about}: failures {sorted(failures)} {reasons}", may_come=len(failures) < fate.failures)
    if (done is not None) != (fate.ends == "succeeded"):
        yield Breach(f"{about} has {'a' if done else 'no'} success", may_come=done is None)
    if done is not None and done.json["attempt"] != attempts:
        yield Breach(f"{about}: attempt {done.json['attempt']} of {attempts} stands")
    if (step in journal.skipped) != (fate.ends == "skipped"):
        yield Breach(f"{about} is {'' if step in journal.skipped else 'not '}skipped", may_come=fate.ends == "skipped")


def steps_come_after_their_predecessors(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
    """An attempt is requested after all that its step waits for was settled, and is given what stands of it."""
    for (run, name), requests in journal.requests.items():
        if run not in journal.starts:
            yield Breach(f"an attempt of {name} is requested for run {run}, which never began")
            continue
        before = [(run, step) for step in expectations.AFTER[journal.workflow(run)][name]]
        for request in requests.values():
            for step in before:
                settled = journal.settled(step)
                if not settled or settled[0].at_s > request.at_s:
                    yield Breach(f"{request.subject} was requested before {step[1]} was settled")
                given = request.json["inputs"].get(step[1])
                if step in journal.done and given != journal.done[step].json.get("output"):
                    yield Breach(f"{request.subject} was given {given} of {step[1]}, which is not what stands")


def emitted_events_are_published_once(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
    """What a step's standing success emits is on the bus, once each, and nothing that no success emitted."""
    wanted: list[Happening] = []
    found: list[Happening] = []
    for (run, name), done in journal.done.items():
        emits = [(emitted["event"], emitted["data"]) for emitted in done.json.get("emits", ())]
        if emits != expectations.emitted(name, journal.data(run)):
            yield Breach(f"{done.subject} emitted {emits}")
        wanted += [(f"{run}/{name}/{kind}", data) for kind, data in emits]
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
    steps_have_one_standing_result,
    steps_come_after_their_predecessors,
    emitted_events_are_published_once,
)
