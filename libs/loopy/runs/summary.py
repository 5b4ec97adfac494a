"""A run on one line: for lists of runs. Needs only its first and its last fact."""

from datetime import datetime

import msgspec

from loopy.runs.records import Outcome
from loopy.runs.state import RunState


class RunSummary(msgspec.Struct, frozen=True):
    """What a list shows of a run. `outcome` and `duration_s` are None while it is under way."""

    run: str
    workflow: str
    event: str
    event_type: str
    cascade: str
    started_at: datetime
    outcome: Outcome | None = None
    duration_s: float | None = None
    failed_step: str | None = None
    detail: str = ""


def summarize(state: RunState) -> RunSummary | None:
    """The summary of a run; None when its first fact is missing."""
    started, ended = state.started, state.ended
    if started is None:
        return None
    return RunSummary(
        run=state.run,
        workflow=started.workflow,
        event=started.event.id,
        event_type=started.event.type,
        cascade=started.event.cascade,
        started_at=started.at,
        outcome=ended.outcome if ended else None,
        duration_s=max(0.0, (ended.at - started.at).total_seconds()) if ended else None,
        failed_step=ended.step if ended else None,
        detail=ended.detail if ended else "",
    )
