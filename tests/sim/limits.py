"""What must hold of slots and of spend, whatever went wrong."""

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, TypeAlias

import msgspec

from loopy.runs.records import (
    AttemptFailed,
    AttemptRequested,
    Event,
    RunAdmitted,
    RunEnded,
    RunFailed,
    RunResumed,
)
from tests.sim.entries import Entry, Key
from tests.sim.history import History
from tests.sim.journal import Result

# Name and key.
Place: TypeAlias = tuple[str, str]
Passing: TypeAlias = RunAdmitted | RunResumed | RunFailed | RunEnded


def runs_wait_for_their_slots(history: History) -> Iterator[str]:
    """A run that needs slots has them in its first fact, and nothing of it is requested before it was admitted."""
    admitted: dict[str, int] = {}
    for entry, fact in history.records(RunAdmitted):
        admitted.setdefault(fact.run, entry.index)
    for run, started in history.started.items():
        needed = set(_needed(history, started.workflow, started.event))
        if {(slot.name, slot.key) for slot in started.slots} != needed:
            yield f"run {run} asked for {started.slots} instead of {needed}"
    for entry, asked in history.records(AttemptRequested):
        run_started = history.started.get(asked.run)
        if run_started is not None and run_started.slots and admitted.get(asked.run, entry.index) >= entry.index:
            yield f"run {asked.run} had {asked.step} requested before it was admitted"


def no_more_are_under_way_than_a_slot_allows(history: History) -> Iterator[str]:
    """Of the runs that need a slot, never more are under way than may be: admitted, and not ended or failed since."""
    under_way: dict[Place, set[str]] = defaultdict(set)
    epochs: dict[str, int] = defaultdict(int)
    over: set[str] = set()
    for _, fact in _in_order(history):
        match fact:
            case RunResumed(run=run) if fact.epoch == epochs[run] + 1 and run not in over:
                epochs[run] += 1
                _leave(under_way, run)
            case RunFailed(run=run) if fact.epoch == epochs[run]:
                _leave(under_way, run)
            case RunEnded(run=run):
                over.add(run)
                _leave(under_way, run)
            case RunAdmitted(run=run) if fact.epoch == epochs[run] and run not in over:
                started = history.started[run]
                for place, most in _needed(history, started.workflow, started.event).items():
                    under_way[place].add(run)
                    if len(under_way[place]) > most:
                        yield f"{sorted(under_way[place])} are under way at once on {place}, of which {most} may be"
            case _:
                pass


def what_was_spent_is_counted_once(history: History) -> Iterator[str]:
    """The ledger has what each result cost, once, and nothing else."""
    results = [(entry, result) for entry, result in _results(history) if result.usage.spend_usd]
    cost = {_key(result): result.usage.spend_usd for _, result in results}
    gone = {_key(result) for entry, result in results if history.is_deleted("RUN", entry.kept.sequence)}
    counted: dict[Key, list[float]] = defaultdict(list)
    for entry in history.of("SPEND"):
        counted[_whose(entry)].append(_usd(entry))
    for key in cost.keys() | counted.keys():
        if key in gone and key not in counted:
            continue
        if counted.get(key, []) != [cost.get(key)]:
            yield f"attempt {key} cost {cost.get(key)}, and {counted.get(key, [])} was counted"


def nothing_begins_beyond_a_limit_of_spend(history: History) -> Iterator[str]:
    """What was spent when a result was counted holds back what follows from it; and nothing is held back before."""
    ledger = history.of("SPEND")
    places = {_whose(entry): number for number, entry in enumerate(ledger)}
    results = {(result.run, entry.kept.time): _key(result) for entry, result in _results(history)}
    for _, asked in history.records(AttemptRequested):
        after = results.get((asked.run, asked.at))
        if after is not None and after in places and asked.attempt == 1:
            reached = _reached(history, asked.run, ledger[: places[after] + 1])
            if reached:
                yield f"run {asked.run} had {asked.step} requested although {reached}"
    for entry, failed in history.records(AttemptFailed):
        if failed.reason == "over_limit":
            before = [spent for spent in ledger if spent.index < entry.index]
            if not _reached(history, failed.run, before):
                yield f"run {failed.run} may not go on with {failed.step}: {failed.detail}, which is not so"


def _needed(history: History, workflow: str, event: Event) -> dict[Place, int]:
    """The slots that a run needs, and how many may hold each."""
    needed: dict[Place, int] = {}
    concurrency = history.plan.workflows[workflow].concurrency
    if concurrency is not None:
        needed[concurrency.name, str(event.data["n"]) if concurrency.key else ""] = concurrency.limit
    most = history.plan.limits.workflow_concurrency.get(workflow)
    if most is not None:
        needed[f"workflow:{workflow}", ""] = most
    return needed


def _in_order(history: History) -> list[tuple[Entry, Passing]]:
    """What says whether runs are under way."""
    facts: list[tuple[Entry, Passing]] = [*history.records(RunAdmitted), *history.records(RunResumed)]
    facts += [*history.records(RunFailed), *history.records(RunEnded)]
    return sorted(facts, key=lambda fact: fact[0].index)


def _results(history: History) -> Iterator[tuple[Entry, Result]]:
    return (each for journal in history.journals.values() for each in journal.results)


def _key(result: Result) -> Key:
    return (result.run, result.step, result.epoch, result.attempt)


def _leave(under_way: dict[Place, set[str]], run: str) -> None:
    for runs in under_way.values():
        runs.discard(run)


def _reached(history: History, run: str, ledger: list[Entry]) -> str:
    """Which limit this run's next attempt meets after these entries; nothing when it meets none."""
    limits, started = history.plan.limits, history.started[run]
    cascade = [e for e in ledger if _said(e)["cascade"] == started.event.cascade]
    sums = {
        "cascade": (cascade, limits.cascade_usd),
        "run": ([e for e in cascade if _said(e)["run"] == run], limits.workflow_usd.get(started.workflow)),
        "day": (ledger, limits.day_usd),
    }
    for whose, (some, most) in sums.items():
        spent = sum(Fraction(str(_usd(entry))) for entry in some)
        if most is not None and spent >= Fraction(str(most)):
            return f"the {whose} has spent {float(spent):g} of {most:g}"
    return ""


def _said(entry: Entry) -> Any:
    return msgspec.json.decode(entry.kept.payload)


def _usd(entry: Entry) -> float:
    return float(_said(entry)["usd"])


def _whose(entry: Entry) -> Key:
    run, step, epoch, attempt = entry.kept.subject.split(".")[-4:]
    return run, step, int(epoch), int(attempt)
