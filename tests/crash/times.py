"""What is promised of schedules, polls, executions and processes, held against the evidence."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from tests.crash.evidence import Evidence, Execution, Stored
from tests.crash.faults import SERVER
from tests.crash.journal import Journal
from tests.crash.processes import Blow
from tests.crash.promises import Breach, Promise

MINUTE_S = 60
POLL_S = 2
# A service that finds no server gives up after five seconds, and one that finds it paused after another few.
GIVING_UP_S = 12.0
# How long after it was healed a server delivers what it had delivered before, and a sleeper executes what it was given.
WAKING_S = 2.0
# Between an executor's look whether an attempt is still to be executed and the beginning of its program.
STARTING_S = 5.0


def firings_start_one_run_each(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
    """Each firing of a schedule starts exactly one run; `last_run` is an earlier firing whose run succeeded."""
    started = Counter(
        (start.json["workflow"], _unix(start.json["event"]["data"]["scheduled_at"]))
        for start in journal.starts.values()
        if start.json["event"]["type"] == "cron"
    )
    fired = {(message.tokens[2], int(message.tokens[3])) for message in evidence.of("firing.cron")}
    for workflow, at in fired | started.keys():
        if started[workflow, at] != ((workflow, at) in fired):
            yield Breach(
                f"{workflow} due at {at} began {started[workflow, at]} times", may_come=(workflow, at) in fired
            )
    for message in evidence.of("firing.cron"):
        last, workflow = message.json["last_run"], message.tokens[2]
        if last is not None and not ((workflow, _unix(last)) in fired and _unix(last) < int(message.tokens[3])):
            yield Breach(f"{message.subject} says that {last} was the last run")


def no_due_time_is_missed(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
    """Each due time is fired, or a mark says that it and others before it were passed over; never both."""
    for workflow in ("sweep", "tally"):
        fired = {int(message.tokens[3]) for message in evidence.of("firing.cron", workflow)}
        passed = {int(message.tokens[3]) for message in evidence.of("firing.passed", workflow)}
        wanted = _minutes(evidence.schedules_since, max(fired | passed, default=0))
        if not wanted:
            yield Breach(f"{workflow} never fired", may_come=True)
        missed = {at for at in set(wanted) - fired if at > max(passed, default=0)}
        yield from (Breach(f"{workflow} due at {at} was missed") for at in sorted(missed))
        yield from (Breach(f"{workflow} fired at {at}, which is not due") for at in sorted(fired - set(wanted)))
        yield from (Breach(f"{workflow} due at {at} was fired, and passed over") for at in sorted(fired & passed))
        if workflow == "sweep" and passed:
            yield Breach(f"{workflow} was passed over at {sorted(passed)}, though it is never to be")


def polls_are_read_once(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
    """Each poll that fired gave its one event, then its mark; a window begins where one ended that is marked."""
    marks = {int(message.tokens[3]): message for message in evidence.of("firing.polled.gauge")}
    readings = Counter((message.json["at"], message.json["since"]) for message in evidence.of("evt.Reading"))
    firings = evidence.of("firing.poll.gauge")
    for firing in firings:
        at, last = firing.json["scheduled_at"], firing.json["last_run"]
        if readings.pop((at, last), 0) != 1 or _unix(at) not in marks:
            yield Breach(f"{firing.subject} has not given its reading", may_come=True)
        if _unix(at) % POLL_S:
            yield Breach(f"{firing.subject} is not due")
        if last is not None and not _is_earlier(marks.get(_unix(last)), firing):
            yield Breach(f"{firing.subject} goes on from {last}, which was not read yet")
    yield from (Breach(f"reading {window} is of no firing") for window in readings)


def results_are_of_executions(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
    """What stands was answered by an execution that took place, of the attempt that it is said to be of."""
    answers = {(e.run, e.step, e.attempt, e.answers_by) for e in evidence.executions}
    for (run, step), done in journal.done.items():
        by = done.json["output"]["by"]
        if (run, step, done.json["attempt"], by) not in answers:
            yield Breach(f"{done.subject} stands, and {by} never executed it")


def agents_are_executed_again_only_after_a_loss(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
    """An attempt is executed twice only if its executor was killed or stopped meanwhile, or the server was."""
    for before, after in repetitions(evidence):
        if not any(_explains(blow, before, after) for blow in evidence.blows):
            yield Breach(f"{before} was executed again though nothing had befallen it: {after}")
    for execution in evidence.executions:
        if execution.attempt not in journal.requests.get((execution.run, execution.step), {}):
            yield Breach(f"{execution} was not asked for")


def what_is_settled_is_not_executed(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
    """No attempt is executed once its result is stored, unless its executor was stopped after it had looked."""
    for execution in evidence.executions:
        step = (execution.run, execution.step)
        results = (journal.done.get(step), journal.failures.get(step, {}).get(execution.attempt))
        stored = [result.at_s - evidence.booted_at for result in results if result is not None]
        if any(execution.at_s > at_s + STARTING_S for at_s in stored) and not _slept(evidence, execution):
            yield Breach(f"{execution} took place though its result was stored at {stored}")


def processes_end_only_when_they_must(evidence: Evidence, journal: Journal) -> Iterator[Breach]:
    """No process ends of itself, unless it was starting while there was no server to be had."""
    outages = [blow for blow in evidence.blows if blow.target.startswith(SERVER)]
    for end in evidence.exits:
        if not any(blow.begun_s <= end.at_s <= blow.ended_s + GIVING_UP_S for blow in outages) or end.code != 2:
            yield Breach(f"{end.name} ended of itself with code {end.code} at {end.at_s:.2f}")


def repetitions(evidence: Evidence) -> list[tuple[Execution, Execution]]:
    """Each execution of an attempt that had been executed before, with the one before it."""
    found: dict[tuple[str, str, int], list[Execution]] = defaultdict(list)
    for execution in sorted(evidence.executions, key=lambda execution: execution.at_s):
        found[execution.run, execution.step, execution.attempt].append(execution)
    return [pair for executions in found.values() for pair in pairwise(executions)]


def _slept(evidence: Evidence, execution: Execution) -> bool:
    """Whether its executor was stopped before its program began."""
    stops = [blow for blow in evidence.blows if blow.how == "stop" and blow.pid == execution.executor]
    return any(blow.begun_s <= execution.at_s <= blow.ended_s + WAKING_S for blow in stops)


def _explains(blow: Blow, before: Execution, after: Execution) -> bool:
    if blow.begun_s > after.at_s:
        return False
    if blow.how == "kill" and blow.pid == before.executor:
        return blow.ended_s >= before.at_s
    hurt_both = blow.target.startswith(SERVER) or (blow.how == "stop" and blow.pid in (before.executor, after.executor))
    return hurt_both and blow.ended_s + WAKING_S >= before.at_s


def _minutes(since: int, until: int) -> list[int]:
    """The whole minutes in (since, until]."""
    return list(range((since // MINUTE_S + 1) * MINUTE_S, until + 1, MINUTE_S))


def _unix(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp())


def _is_earlier(mark: Stored | None, message: Stored) -> bool:
    return mark is not None and mark.sequence < message.sequence


OF_TIMES: tuple[Promise, ...] = (
    firings_start_one_run_each,
    no_due_time_is_missed,
    polls_are_read_once,
    results_are_of_executions,
    agents_are_executed_again_only_after_a_loss,
    what_is_settled_is_not_executed,
    processes_end_only_when_they_must,
)
