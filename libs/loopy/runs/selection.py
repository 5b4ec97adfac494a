"""Which runs are meant: by workflow, how they stand, the event that started them, and when they began. Pure."""

from datetime import datetime
from typing import TypeAlias, get_args

import msgspec

from loopy.runs.records import Outcome
from loopy.runs.summary import RunSummary

Standing: TypeAlias = str  # an outcome, `running`, or `paused`
STANDINGS = (*get_args(Outcome), "running", "paused")
_REACHED = {"cancel": ("running", "paused"), "pause": ("running",), "resume": ("paused",), "retry": ("failed",)}


def reached(action: str, *, from_step: bool = False) -> tuple[Standing, ...]:
    """Which runs an action on many is for, where nothing else is said (any, for one that steers nothing).

    One that failed is cancelled only when that is said: it could be resumed. A retry from a step is for all that are
    not over.
    """
    return (*_REACHED.get(action, ()), *(("running", "paused") if action == "retry" and from_step else ()))


class Selection(msgspec.Struct, frozen=True):
    """Runs that fit all that is said; None and an empty tuple leave it open. `since` belongs to it, `before` does not.

    `standings`: one that has failed is `failed` whether or not it can be resumed, one without an outcome is `running`,
    or `paused` where somebody had it so.
    """

    workflow: str | None = None
    standings: tuple[Standing, ...] = ()
    event_type: str | None = None
    since: datetime | None = None
    before: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it means every run."""
        return self == Selection()

    def picks(self, run: RunSummary) -> bool:
        """Whether a run is meant."""
        return (
            self.workflow in (None, run.workflow)
            and (not self.standings or standing_of(run) in self.standings)
            and self.event_type in (None, run.event_type)
            and (self.since is None or run.started_at >= self.since)
            and (self.before is None or run.started_at < self.before)
        )


def standing_of(run: RunSummary) -> Standing:
    """How a run stands, in one word."""
    return run.outcome or ("paused" if run.paused else "running")
