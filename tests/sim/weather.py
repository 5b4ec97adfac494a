"""What goes wrong between a process and the server, and with the process, at each thing that passes between them."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from loopy.clock import Clock

ACK, PULL = "$JS.ACK.", "$JS.API.CONSUMER.MSG.NEXT."


class Storm(msgspec.Struct, frozen=True):
    """How bad the weather of one simulation is: the probability of each thing at each chance, and of its kinds.

    `skew_s` is how far the clocks of the processes may be off, `forget_every_s` how often the server forgets what was
    acknowledged, `away_every_s` how often it cannot be reached, `stale` how often a read misses what was just stored.
    """

    crash: float
    lost: float
    late: float
    stall: float
    stale: float
    skew_s: float
    forget_every_s: float
    away_every_s: float
    failing: float
    slow: float

    @classmethod
    def of(cls, rng: random.Random) -> "Storm":
        """From calm to terrible; each kind of trouble is absent from many simulations."""
        return cls(
            crash=rng.choice([0.0, 0.003, 0.01, 0.02]),
            lost=rng.choice([0.0, 0.0, 0.01, 0.05]),
            late=rng.choice([0.0, 0.01, 0.05]),
            stall=rng.choice([0.0, 0.0, 0.001, 0.003]),
            stale=rng.choice([0.0, 0.0, 0.3]),
            skew_s=rng.choice([0.0, 0.0, 2.0]),
            forget_every_s=rng.choice([0.0, 0.0, 10.0]),
            away_every_s=rng.choice([0.0, 0.0, 20.0]),
            failing=rng.choice([0.0, 0.1, 0.3]),
            slow=rng.choice([0.0, 0.0, 0.1]),
        )


CALM = Storm(*[0.0] * 10)


class Weather:
    """The `Line` of one process. `crash` ends it from one moment to the next; `note` tells what was lost."""

    def __init__(
        self, storm: Storm, rng: random.Random, clock: Clock, crash: Callable[[], None], note: Callable[[str], None]
    ) -> None:
        self.storm = storm
        self._rng = rng
        self._clock = clock
        self._crash = crash
        self._note = note
        self._stalled_until = 0.0
        self.away_until = 0.0

    def outward(self, subject: str) -> float | None:
        """A process may die before, or just after, it has sent something."""
        if self._clock.monotonic() < self.away_until:
            return None
        if self._rng.random() < self.storm.crash:
            self._crash()
            return self._takes_s() if self._rng.random() < 0.5 else None
        if self._rng.random() < self.storm.lost:
            self._note(f"lost {subject}")
            return None
        return self._takes_s()

    def homeward(self, subject: str) -> float | None:
        """A process may die when something was done for it of which it is not told any more."""
        if self._clock.monotonic() < self.away_until:
            return None
        if self._rng.random() < self.storm.crash / 2:
            self._crash()
            return None
        if self._rng.random() < self.storm.lost:
            self._note(f"lost answer {subject}")
            return None
        return self._takes_s()

    def _takes_s(self) -> float:
        now = self._clock.monotonic()
        if self._rng.random() < self.storm.stall:
            self._stalled_until = now + self._rng.uniform(5.0, 50.0)
            self._note("stalled")
        if self._rng.random() < self.storm.late:
            self._note("late")
            return max(0.0, self._stalled_until - now) + self._rng.uniform(0.05, 4.0)
        return max(0.0, self._stalled_until - now) + self._rng.uniform(0.0001, 0.004)


class SkewedClock:
    """A clock that is off by so many seconds."""

    def __init__(self, right: Clock, skew_s: float) -> None:
        self._right = right
        self._skew = timedelta(seconds=skew_s)

    def now(self) -> datetime:
        """The wrong time."""
        return self._right.now() + self._skew

    def monotonic(self) -> float:
        """As the right one."""
        return self._right.monotonic()
