"""What is promised of executions and the leases under which they take place, held against the evidence."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from loopy.bus.writing import EXPECTED_SEQUENCE
from tests.crash.evidence import AttemptOf, Evidence, Execution, Stored
from tests.crash.faults import SERVER
from tests.crash.journal import Journal
from tests.crash.lives import Lives, is_failure, resumes_in_force
from tests.crash.processes import Blow
from tests.crash.promises import Breach, Promise

LEASE_S = 3.0
# Between an executor's look whether an attempt is still to be executed and the beginning of its program.
STARTING_S = 5.0
# What a clock shows of a moment that another clock dates: the program's has steps of a hundredth.
BLUR_S = 0.02
# A message of a cluster bears the time at which its leader had it. Where a server was hurt then, the others may have
# it, and answer with it, only so long after that was healed.
CATCHING_UP_S = 4.0


def results_are_of_executions(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """What stands was answered by an execution that took place, of the attempt that it is said to be of."""
    answers = {(execution.attempt_of, execution.answers_by) for execution in evidence.executions}
    for life, results in journal.results.items():
        for attempt, result in results.items():
            if not is_failure(result) and ((*life, attempt), by := result.json["output"]["by"]) not in answers:
                yield Breach(f"{result.subject} stands, and {by} never executed it")


def leases_are_taken_over_only_after_a_silence(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """Who has not renewed or given back a lease for its whole time, and nobody else, loses it to another."""
    for history in _leases(evidence).values():
        for before, after in pairwise(history):
            silent_s = after.at_s - before.at_s
            if _holder(before) != _holder(after) and not before.json.get("released") and silent_s < LEASE_S:
                yield Breach(f"{after.subject}: {_holder(after)} took it from {_holder(before)} after {silent_s:.2f} s")


def executions_are_under_leases(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """An attempt is executed at most once under each lease of it, by who holds it, and under none taken once its result
    was stored; how often it was taken is recorded with the last."""
    leases, seen = _leases(evidence), {lease.sequence for lease in evidence.leases}
    executed = Counter((execution.attempt_of, execution.executor) for execution in evidence.executions)
    for (attempt, executor), count in executed.items():
        result = journal.results.get(attempt[:3], {}).get(attempt[3])
        taken = {_holder(lease): lease for lease in reversed(leases[attempt]) if _process(lease) == executor}
        in_time = [
            lease
            for lease in taken.values()
            if result is None or lease.at_s <= _readable_at(evidence, result) or _follows_unseen(lease, seen)
        ]
        if count > len(in_time):
            yield Breach(f"{attempt} was executed {count} times by {executor}, under {len(in_time)} leases in time")
    for attempt, count in Counter(execution.attempt_of for execution in evidence.executions).items():
        recorded = max((lease.json.get("earlier", 0) for lease in leases[attempt]), default=-1) + 1
        if count > recorded:
            yield Breach(f"{attempt} was executed {count} times, and {recorded} leases of it are recorded")


def agents_are_executed_again_only_after_a_loss(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """An attempt is executed twice only if its executor was killed or stopped meanwhile, or the server was; or if the
    machine stood still, so that a lease could not be renewed."""
    for before, after in repetitions(evidence):
        stood_still = any(
            stall.begun_s <= after.at_s and stall.ended_s >= before.at_s - LEASE_S for stall in evidence.stalls
        )
        if not stood_still and not any(
            _explains(blow, _taken_s(evidence, before), before, after) for blow in evidence.blows
        ):
            yield Breach(f"{before} was executed again though nothing had befallen it: {after}")
    for execution in evidence.executions:
        if execution.attempt not in journal.requests.get(execution.life, {}):
            yield Breach(f"{execution} was not asked for")


def what_is_settled_is_not_executed(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """No attempt is executed once its result is stored, its run is ended, or its step was made to run again; unless its
    executor was stopped after it had looked."""
    for execution in evidence.executions:
        resumes = [
            fact for fact in resumes_in_force(journal, execution.run) if execution.step in fact.json.get("steps", ())
        ]
        ending = (
            journal.results.get(execution.life, {}).get(execution.attempt),
            journal.ends.get(execution.run),
            next((fact for fact in resumes if fact.json["epoch"] > execution.epoch), None),
        )
        stored = [_readable_at(evidence, fact) - evidence.booted_at for fact in ending if fact is not None]
        late = [at_s for at_s in stored if execution.at_s > at_s + STARTING_S]
        if late and not _slept(evidence, execution, min(late)):
            yield Breach(f"{execution} took place though it was to be no more since {late}")


def repetitions(evidence: Evidence) -> list[tuple[Execution, Execution]]:
    """Each execution of an attempt that had been executed before, with the one before it."""
    found: dict[AttemptOf, list[Execution]] = defaultdict(list)
    for execution in sorted(evidence.executions, key=lambda execution: execution.at_s):
        found[execution.attempt_of].append(execution)
    return [pair for executions in found.values() for pair in pairwise(executions)]


def _readable_at(evidence: Evidence, fact: Stored) -> float:
    """From when on everyone must find a fact, in seconds since 1970."""
    at_s = fact.at_s - evidence.booted_at
    hurt = [blow for blow in evidence.blows if blow.target.startswith(f"{SERVER}-")]
    spanning = [blow.ended_s + CATCHING_UP_S for blow in hurt if blow.begun_s <= at_s <= blow.ended_s]
    return evidence.booted_at + max(spanning, default=at_s)


def _slept(evidence: Evidence, execution: Execution, since_s: float) -> bool:
    """Whether its executor was stopped before that, and its program began as soon as it had woken up."""
    stops = [blow for blow in evidence.blows if blow.how == "stop" and blow.pid == execution.executor]
    return any(blow.begun_s <= since_s + STARTING_S and execution.at_s <= blow.ended_s + STARTING_S for blow in stops)


def _explains(blow: Blow, since_s: float, before: Execution, after: Execution) -> bool:
    """Whether one of the two executors, or the server, was hurt before the second began and after the first had been
    taken: who is stopped while a program is being started goes on with that, until it finds its lease lost."""
    if blow.how == "kill" and blow.pid == before.executor:
        return blow.begun_s <= after.at_s + BLUR_S  # a program that was being started may begin a moment later
    slept = blow.how == "stop" and blow.pid in (before.executor, after.executor)
    hurt = slept or blow.target.startswith(SERVER)
    return hurt and blow.begun_s <= after.at_s + BLUR_S and blow.ended_s >= since_s - BLUR_S


def _taken_s(evidence: Evidence, execution: Execution) -> float:
    """When the lease was taken under which an execution took place, or before."""
    taken = [lease for lease in _leases(evidence)[execution.attempt_of] if _process(lease) == execution.executor]
    return min([execution.at_s, *(lease.at_s - evidence.booted_at for lease in taken)])


def _leases(evidence: Evidence) -> dict[AttemptOf, list[Stored]]:
    """All that was seen of the lease of each attempt, in order."""
    found: dict[AttemptOf, list[Stored]] = defaultdict(list)
    for lease in evidence.leases:
        run, step, epoch, attempt = lease.tokens[1:5]
        found[run, step, int(epoch), int(attempt)].append(lease)
    return found


def _follows_unseen(lease: Stored, seen: set[int]) -> bool:
    """Whether a lease lies behind a message that the watch missed: the stream keeps the last of each subject alone, and
    a watch that a server was taken from may come too late for those before. Then nobody knows when it was taken.
    """
    return int(lease.headers.get(EXPECTED_SEQUENCE, 0)) not in {0, *seen}


def _holder(lease: Stored) -> tuple[str, int]:
    return (lease.json["executor"], lease.json["taking"])


def _process(lease: Stored) -> int:
    """The process of who holds a lease."""
    return int(lease.json["executor"].split("-")[-2])


OF_EXECUTIONS: tuple[Promise, ...] = (
    results_are_of_executions,
    leases_are_taken_over_only_after_a_silence,
    executions_are_under_leases,
    agents_are_executed_again_only_after_a_loss,
    what_is_settled_is_not_executed,
)
