"""Keeping house: which runs have ended long enough ago, and which of their messages are to go. Pure.

A run is kept for the grace that the settings give. Where its streams fill up, the runs that ended first go earlier: a
full stream would keep everybody else waiting, and what goes is archived. A run that failed waits for as long as the
grace to be resumed; then it is ended.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from loopy.bus.archive import Archive
from loopy.bus.messages import Message
from loopy.runs.records import RunEnded
from loopy.runs.state import RunState

# From so full a stream on, runs are kept no longer than this.
PRESSED_AT = 0.75
PRESSED_KEEP = timedelta(hours=1)
LONGEST_SLEEP = timedelta(seconds=60)
SHORTEST_SLEEP = timedelta(milliseconds=100)
JANITOR = "janitor"  # who ended a run that was left as it had failed
# What stays of a run, so that lists show it, and nobody takes it for one that never was; what events led to stays, too.
STAYING = ("start", "end", "routed")


def is_pressed(fullness: Iterable[float]) -> bool:
    """Whether there is to be hurried, by the fullness (0 to 1) of the streams that runs lie in."""
    return any(full >= PRESSED_AT for full in fullness)


def kept_for(keep: timedelta, *, pressed: bool) -> timedelta:
    """How long runs are kept now."""
    return min(keep, PRESSED_KEEP) if pressed else keep


def is_due(ended_at: datetime, now: datetime, kept: timedelta) -> bool:
    """Whether a run that ended then is to be archived."""
    return ended_at + kept <= now


def until_next(following: datetime | None, now: datetime, kept: timedelta) -> timedelta:
    """How long to wait when nothing is due; `following` is when the run ended that comes next, if one has."""
    due_in = kept if following is None else following + kept - now
    return min(max(due_in, SHORTEST_SLEEP), LONGEST_SLEEP)


def expendable(archive: Archive, journal: Iterable[Message]) -> list[Message]:
    """Those of a run's facts that are to be deleted: what its archive holds, but for what stays.

    A fact that is stored once the run was archived is nowhere else: it is left to its stream's age.
    """
    return [fact for fact in journal if archive.holds(fact) and kind_of(fact) not in STAYING]


def ending(state: RunState, now: datetime, keep: timedelta) -> RunEnded | None:
    """The end of a run that failed so long ago; None when it was resumed, or has ended."""
    failed = state.failed
    if failed is None or state.ended is not None:
        return None
    why = f"nobody resumed it within {keep / timedelta(days=1):g} days, so it was ended; it had failed: {failed.detail}"
    return RunEnded(failed.run, failed.workflow, "failed", now, failed.step, why, JANITOR)


def kind_of(fact: Message) -> str:
    """The kind of a fact, by its subject `<ns>.run.<kind>.…`."""
    return fact.subject.split(".")[2]
