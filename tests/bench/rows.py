"""What a benchmark reports: every module of this package has `measure() -> list[Row]`."""

import statistics
from typing import Literal

import msgspec

Unit = Literal["s", "ms", "µs", "/s", "×", "%"]
MORE_IS_BETTER: tuple[Unit, ...] = ("/s", "×")


class Row(msgspec.Struct, frozen=True):
    """One thing measured: a sample for each repetition.

    `target` is the median aimed at: at most that for times, at least that for rates. `floor` is the median of the
    least that has to be done for it, measured in the same run; the ratio to it outlives a noisy machine.
    """

    what: str
    samples: tuple[float, ...]
    unit: Unit = "s"
    target: float | None = None
    floor: float | None = None

    @property
    def median(self) -> float:
        """What is quoted."""
        return statistics.median(self.samples)

    @property
    def met(self) -> bool:
        """Whether the median is as good as was aimed at."""
        if self.target is None:
            return True
        return self.median >= self.target if self.unit in MORE_IS_BETTER else self.median <= self.target

    @property
    def times_the_floor(self) -> float | None:
        """How many times as long as the floor it takes."""
        if self.floor is None:
            return None
        return self.floor / self.median if self.unit in MORE_IS_BETTER else self.median / self.floor
