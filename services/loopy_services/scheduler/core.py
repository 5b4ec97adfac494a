"""When schedules and polls fire, and what becomes of due times that were missed. Pure.

`catch_up` says how many of the due times that nobody fired in time (the scheduler was down, or waited for a run) are
made up for: the newest (`one`), all (at most the newest hundred), or none. `overlap` says what becomes of a due time
while the run of the last firing is under way: passed over (`skip`), made up for when that run has ended, one at a time
(`queue`), or fired all the same (`allow`).
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from loopy.compiler.cron import firings, next_firing
from loopy.compiler.plan import CronTrigger, PollSource
from loopy.runs.ids import derive

ON_TIME = timedelta(seconds=60)
CATCH_UP_MOST = 100
FIRST_WINDOW = timedelta(hours=1)
HELD_LOOK = timedelta(seconds=1)
LONGEST_SLEEP = timedelta(seconds=30)


class Due(msgspec.Struct, frozen=True):
    """What becomes of a schedule's due times: those to fire, oldest first, and the newest one to pass over before.

    `held` says that there are others, to be looked at again when the run under way has ended.
    """

    fire: tuple[datetime, ...] = ()
    passed: datetime | None = None
    held: bool = False

    @property
    def is_empty(self) -> bool:
        """Nothing is due."""
        return not self.fire and self.passed is None and not self.held


def due(trigger: CronTrigger, since: datetime, now: datetime, *, under_way: bool) -> Due:
    """What is due of a schedule in (since, now]. `under_way`: the run of its last firing has not ended."""
    times = _newest(trigger, since, now)
    if not times:
        return Due()
    wanted = _caught_up(trigger, times, now)
    if not wanted or (under_way and trigger.overlap == "skip"):
        return Due(passed=times[-1])
    if under_way and trigger.overlap == "queue":
        return Due(held=True)
    passed = max((at for at in times if at < wanted[0]), default=None)
    if trigger.overlap == "queue":
        return Due(wanted[:1], passed, held=len(wanted) > 1)
    return Due(wanted, passed)


def due_poll(source: PollSource, since: datetime, now: datetime) -> datetime | None:
    """The newest due time of a poll in (since, now]; older ones need no making up for, since a tick knows the last.

    Due times are the whole multiples of the period since 1970, cut to seconds: every replica has the same.
    """
    slot = now.timestamp() // source.every_s * source.every_s
    at = datetime.fromtimestamp(int(slot), UTC)
    return at if at > since else None


def next_look(schedules: Iterable[CronTrigger], polls: Iterable[PollSource], now: datetime, *, held: bool) -> datetime:
    """When something can be due next. Never far off, so that a clock that was set meanwhile is noticed."""
    times = [next_firing(trigger.expression, trigger.zone, now) for trigger in schedules]
    times += [datetime.fromtimestamp((now.timestamp() // source.every_s + 1) * source.every_s, UTC) for source in polls]
    return min([*times, now + (HELD_LOOK if held else LONGEST_SLEEP)])


def past_time(subject: str, now: datetime) -> datetime | None:
    """The time that the last token of a mark's subject is; None when it is none, or lies more than a little ahead."""
    try:
        at = datetime.fromtimestamp(int(subject.rpartition(".")[2]), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return at if at - now <= ON_TIME else None


def was_set_back(since: datetime, now: datetime) -> bool:
    """Whether the clock has been set back, so that what was fired last lies ahead of it."""
    return since - now > ON_TIME


def digest(declared: CronTrigger | PollSource) -> str:
    """What tells one schedule or poll of a name from a later one: when it is due. Not its policies."""
    match declared:
        case CronTrigger(expression=expression, zone=zone):
            return derive("cron", expression, zone)
        case PollSource(every_s=every_s):
            return derive("poll", repr(every_s))


def _caught_up(trigger: CronTrigger, times: list[datetime], now: datetime) -> tuple[datetime, ...]:
    match trigger.catch_up:
        case "all":
            return tuple(times[-CATCH_UP_MOST:])
        case "one":
            return (times[-1],)
        case "none":
            return tuple(at for at in times[-1:] if now - at <= ON_TIME)


def _newest(trigger: CronTrigger, since: datetime, now: datetime) -> list[datetime]:
    """The newest due times in (since, now], enough for any policy: from a window that grows until it holds them."""
    window = FIRST_WINDOW
    while True:
        after = max(since, now - window)
        times = firings(trigger.expression, trigger.zone, after, now)
        if after == since or len(times) >= CATCH_UP_MOST:
            return times
        window *= 2
