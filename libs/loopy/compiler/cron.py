"""Cron expressions: what is wrong with one, and when it fires.

Five fields (or `@daily` and its like), in a time zone of the IANA database. A firing whose local time is skipped when
clocks go forward happens at the moment of the change; one whose local time comes twice when they go back happens once,
at the first, unless the expression fires in every hour.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from loopy.diagnostics.suggest import nearest

ALIASES = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
MAX_EXPRESSION = 200
FIELDS = (
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31"),
    ("month", "1 to 12 or jan to dec"),
    ("day of the week", "0 to 7 or sun to sat"),
)
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


def expression_problem(expression: str) -> str | None:
    """Why this is no cron expression, as one sentence, or None."""
    if len(expression) > MAX_EXPRESSION:
        return f"a cron expression has at most {MAX_EXPRESSION} characters"
    if expression.startswith("@"):
        known = ", ".join(ALIASES)
        return None if expression in ALIASES else f"`{expression}` is not one of {known}"
    fields = expression.split()
    if len(fields) != len(FIELDS):
        return f"a cron expression has 5 fields (minute, hour, day, month, weekday), not {len(fields)}"
    return _field_problem(fields) or _never_fires(expression)


def zone_problem(zone: str) -> str | None:
    """Why this is no time zone, as one sentence, or None."""
    if _zone(zone) is not None:
        return None
    near = nearest(zone, available_timezones())
    return f"there is no time zone `{zone}`" + (f"; did you mean `{near}`?" if near else "")


def next_firing(expression: str, zone: str, after: datetime) -> datetime:
    """The first firing later than `after`, in UTC, of an expression and a zone that have no problem."""
    return next(_firings(expression, zone, after))


def firings(expression: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    """What is due in (after, until], oldest first, in UTC."""
    due: list[datetime] = []
    for at in _firings(expression, zone, after):
        if at > until:
            return due
        due.append(at)
    return due


def _firings(expression: str, zone: str, after: datetime) -> Iterator[datetime]:
    from croniter import CroniterBadDateError, croniter

    found = _zone(zone)
    if found is None:
        raise ValueError(f"there is no time zone {zone!r}")
    next_time: Callable[[type[datetime]], datetime] = croniter(expression, after.astimezone(found)).get_next
    repeats = expression == "@hourly" or expression.split()[1:2] == ["*"]
    while True:
        try:
            at = next_time(datetime)
        except CroniterBadDateError:  # the last date that the library looks at
            return
        if repeats or not at.fold:
            yield at.astimezone(UTC)


def _zone(zone: str) -> tzinfo | None:
    if zone == "UTC":
        return UTC
    try:
        return ZoneInfo(zone)
    except (ValueError, OSError, KeyError):  # a path, a directory of zones, a name that is not there
        return None


def _field_problem(fields: list[str]) -> str | None:
    from croniter import CroniterError, croniter

    for index, (field, (name, values)) in enumerate(zip(fields, FIELDS, strict=True)):
        is_valid: Callable[[str], bool] = croniter.is_valid
        alone = ["*"] * len(FIELDS)
        alone[index] = field
        try:
            good = is_valid(" ".join(alone))
        except (CroniterError, ValueError, KeyError):
            good = False
        if not good:
            return f"`{field}` is not {_a(name)} ({values})"
    return None


def _a(noun: str) -> str:
    return f"an {noun}" if noun == "hour" else f"a {noun}"


def _never_fires(expression: str) -> str | None:
    from croniter import CroniterError, croniter

    next_time: Callable[[], float] = croniter(expression, _EPOCH).get_next
    try:
        next_time()
    except CroniterError:
        return f"`{expression}` names a date that never comes"
    return None
