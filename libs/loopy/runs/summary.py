"""A run on one line: for lists of runs. Needs only its first fact and those about it as a whole."""

from datetime import datetime

import msgspec

from loopy.runs.records import Outcome
from loopy.runs.state import RunState


class RunSummary(msgspec.Struct, frozen=True):
    """What a list shows of a run. `outcome` and `duration_s` are None while it is under way.

    One that has failed `can_resume` until it is ended; `paused` says that somebody had it pause, `by` who ended it.
    """

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
    can_resume: bool = False
    paused: bool = False
    by: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """How a run stands as a whole; all is None or empty while it is under way."""

    outcome: Outcome | None = None
    at: datetime | None = None
    step: str | None = None
    detail: str = ""
    by: str = ""


def verdict(state: RunState) -> Verdict:
    """How a run ended, or failed for now."""
    if state.ended is not None:
        ended = state.ended
        return Verdict(ended.outcome, ended.at, ended.step, ended.detail, ended.by)
    if state.failed is not None:
        failed = state.failed
        return Verdict("failed", failed.at, failed.step, failed.detail)
    return Verdict()


def summarize(state: RunState) -> RunSummary | None:
    """The summary of a run; None when its first fact is missing."""
    started, stands = state.started, verdict(state)
    if started is None:
        return None
    return RunSummary(
        run=state.run,
        workflow=started.workflow,
        event=started.event.id,
        event_type=started.event.type,
        cascade=started.event.cascade,
        started_at=started.at,
        outcome=stands.outcome,
        duration_s=max(0.0, (stands.at - started.at).total_seconds()) if stands.at else None,
        failed_step=stands.step,
        detail=stands.detail,
        can_resume=state.failed is not None and state.ended is None,
        paused=state.paused is not None and state.ended is None,
        by=stands.by,
    )
