"""What is promised of schedules, polls and processes, held against the evidence."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from tests.crash.evidence import Evidence, Stored
from tests.crash.faults import SERVER
from tests.crash.journal import Journal
from tests.crash.lives import Lives
from tests.crash.promises import Breach, Promise

MINUTE_S = 60
POLL_S = 2
# A service that finds no server gives up after five seconds, and one that finds it paused after another few.
GIVING_UP_S = 12.0


def firings_start_one_run_each(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
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


def no_due_time_is_missed(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
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


def polls_are_read_once(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
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


def processes_end_only_when_they_must(evidence: Evidence, journal: Journal, lives: Lives) -> Iterator[Breach]:
    """No process ends of itself, unless it was starting while there was no server to be had."""
    outages = [blow for blow in evidence.blows if blow.target.startswith(SERVER)]
    for end in evidence.exits:
        if not any(blow.begun_s <= end.at_s <= blow.ended_s + GIVING_UP_S for blow in outages) or end.code != 2:
            yield Breach(f"{end.name} ended of itself with code {end.code} at {end.at_s:.2f}")


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
    processes_end_only_when_they_must,
)
