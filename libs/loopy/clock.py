"""The clock, as a value that can be given: the core takes instants, the shells ask a clock."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


def rfc3339(at: datetime) -> str:
    """An instant as text: `2026-11-22T09:00:00Z`, with microseconds where it has any."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Clock(Protocol):
    """Where a shell takes the time from."""

    def now(self) -> datetime:
        """The wall clock, with zone UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The wall clock, with zone UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some point in the past, unaffected by changes of the wall clock."""
        return time.monotonic()


class VirtualClock:
    """A clock that stands still until it is told to go on: for simulations, and tests of what takes long."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        """The instant that it has been moved to, with zone UTC."""
        return self._start.astimezone(UTC) + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        """The seconds that it has been moved on by."""
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Move on; a clock never goes back."""
        if seconds < 0:
            raise ValueError(f"a clock cannot go back by {-seconds:g} s")
        self._elapsed_s += seconds
