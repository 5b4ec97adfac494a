"""What must hold of schedules, whatever went wrong."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from loopy.runs.ids import firing_id, run_id
from tests.sim.history import History

# So close to the beginning or the end of scheduling, a due time may be on either side of it.
CLOSE = timedelta(seconds=5)


def schedules_fire_once(history: History) -> Iterator[str]:
    """Every due time was fired, or passed over with a mark; runs of a schedule overlap only where they may."""
    if history.scheduling is None:
        return
    for name, trigger in history.plan.schedules.items():
        fired = {firing_of(subject)[1] for subject in history.subjects_of("EVT", "firing", "cron", name)}
        passed = {firing_of(subject)[1] for subject in history.subjects_of("EVT", "firing", "passed", name)}
        marks = passed if trigger.catch_up == "all" else passed | fired
        for at in _minutes(_first_seen(history, name), history.scheduling.until):
            waits = trigger.overlap == "queue" and at > max(fired, default=0) and _was_held(history, name, fired)
            if at not in fired and not any(mark >= at for mark in marks) and not waits:
                yield f"schedule {name} neither fired nor passed over {datetime.fromtimestamp(at, UTC):%H:%M}"
        # What was missed is made up for at once with `catch_up: all`, unless it is to queue.
        if (trigger.catch_up, trigger.overlap) != ("all", "skip") and trigger.overlap != "allow":
            yield from _overlaps(history, name)


def firing_of(subject: str) -> tuple[str, int]:
    """The schedule or sensor, and the due time, of a firing's subject."""
    name, at = subject.split(".")[-2:]
    return name, int(at)


def _minutes(since: datetime, until: datetime) -> list[int]:
    """The due times of `* * * * *` in (since, until], with a margin for clocks that are off."""
    first, last = int((since + CLOSE).timestamp()) // 60 + 1, int((until - CLOSE).timestamp()) // 60
    return [minute * 60 for minute in range(first, last + 1)]


def _first_seen(history: History, name: str) -> datetime:
    seen = [e.kept.time for s in history.subjects_of("EVT", "firing", "seen", name).values() for e in s]
    return min(seen)


def _was_held(history: History, schedule: str, fired: set[int]) -> bool:
    """Whether the run of the newest firing was under way, for the last time, when the schedulers were stopped."""
    journal = history.journals.get(run_id(schedule, firing_id(schedule, max(fired, default=0))))
    over = journal.over() if journal is not None else []
    return not over or history.scheduling is None or over[-1].kept.time > history.scheduling.until - CLOSE


def _overlaps(history: History, schedule: str) -> Iterator[str]:
    """Runs of a schedule of which one was fired before the one before it had ended, or failed."""
    firings = sorted(
        (
            (firing_of(subject)[1], entries[0])
            for subject, entries in history.subjects_of("EVT", "firing", "cron", schedule).items()
        ),
        key=lambda firing: firing[0],
    )
    for (earlier, _), (later, entry) in pairwise(firings):
        journal = history.journals.get(run_id(schedule, firing_id(schedule, earlier)))
        if journal is None or all(over.index > entry.index for over in journal.over()):
            yield f"schedule {schedule} fired {later} before the run of {earlier} had ended"
