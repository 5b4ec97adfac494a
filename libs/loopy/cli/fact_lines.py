"""What happens, told in lines: one for each fact, in their order. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, assert_never

from loopy.cli.screen import (
    BROKEN,
    BUSY,
    DONE,
    LEADS_TO,
    SKIPPED,
    WAITING,
    Line,
    Piece,
    clock_time,
    date_time,
    duration,
    line,
    short,
    shorten,
    values,
)
from loopy.cli.seen_facts import SeenFacts
from loopy.runs.records import (
    AttemptFailed,
    AttemptRequested,
    AttemptSucceeded,
    Event,
    EventRouted,
    Outcome,
    Record,
    Refusal,
    RunAdmitted,
    RunCancelled,
    RunEnded,
    RunFailed,
    RunPaused,
    RunResumed,
    RunStarted,
    StepSkipped,
)
from loopy.runs.standing import duration_s
from loopy.runs.state import Result

_NAME_WIDTH = 24
_WHY_SKIPPED: dict[Literal["when", "predecessors"], str] = {
    "when": "skipped: its `when` is false",
    "predecessors": "skipped: so were all steps before it",
}
_LIMITS = {"cascade_hops": "hops in one cascade", "cascade_runs": "runs in one cascade"}


def told(record: Record, seen: SeenFacts) -> list[Line]:
    """A fact that `seen` has taken in already, as lines."""
    match record:
        case EventRouted():
            return [] if record.runs else _ending(record)
        case RunStarted():
            return _begun(record, seen)
        case AttemptSucceeded():
            result = (Piece(DONE, "ok"), f" {duration(duration_s(record))}  ", Piece(values(record.output), "dim"))
            emitted = [
                line("  ", Piece(f"{LEADS_TO} {one.event}", "busy"), f"  {values(one.data)}") for one in record.emits
            ]
            return [_step_line(record.workflow, record.step, *result), *emitted]
        case AttemptFailed():
            took = duration(duration_s(record))
            why = f" {took}  attempt {record.attempt}: {record.reason}: {shorten(record.detail, 200)}"
            return [_step_line(record.workflow, record.step, Piece(BROKEN, "bad"), why)]
        case StepSkipped():
            why = f" {_WHY_SKIPPED[record.reason]}"
            return [_step_line(record.workflow, record.step, Piece(SKIPPED, "dim"), Piece(why, "dim"))]
        case RunEnded():
            return [_ended(record, seen)]
        case RunFailed():
            failed = _over(record.run, record.workflow, record.at, "failed", record.step, record.detail, seen)
            return [failed, line("  ", retry_hint(record.run))]
        case RunPaused():
            return [_steered(record, "paused")]
        case RunResumed():
            again = f", {', '.join(record.steps)} again" if record.steps else ""
            return [_steered(record, f"resumed{again}")]
        case RunCancelled():
            return [_steered(record, "to be cancelled")]
        case AttemptRequested() | RunAdmitted():
            return []
        case _:
            assert_never(record)


def outcome_piece(outcome: Outcome) -> Piece:
    """A run's outcome, its symbol first."""
    match outcome:
        case "succeeded":
            return Piece(f"{DONE} succeeded", "ok")
        case "skipped":
            return Piece(f"{SKIPPED} skipped", "dim")
        case "failed" | "cancelled":
            return Piece(f"{BROKEN} {outcome}", "bad")
        case _:
            assert_never(outcome)


def standing_piece(outcome: Outcome | None, *, paused: bool) -> Piece:
    """How a run stands, its symbol first."""
    if outcome is not None:
        return outcome_piece(outcome)
    return Piece(f"{WAITING} paused", "warn") if paused else Piece(f"{BUSY} running", "busy")


def retry_hint(run: str) -> Piece:
    """What to do about a run that failed."""
    return Piece(f"`loopy runs retry {short(run)}` runs again what failed", "dim")


def steering_lines(records: Iterable[Record]) -> list[Line]:
    """What people had a run do, and each time that it failed, with when."""
    return [
        line("  ", Piece(date_time(record.at), "dim"), f"  {words}")
        for record in records
        if (words := _steering_words(record))
    ]


def _steering_words(record: Record) -> str:
    match record:
        case RunFailed():
            return f"failed at {record.step}: {shorten(record.detail, 100)}"
        case RunPaused():
            return _by("paused", record)
        case RunResumed():
            again = f", {', '.join(record.steps)} again" if record.steps else ""
            edits = f" with {values(record.edits)}" if record.edits else ""
            return _by(f"resumed (epoch {record.epoch}{again}){edits}", record)
        case RunCancelled():
            return _by("cancelled", record)
        case _:
            return ""


def _by(what: str, record: RunPaused | RunResumed | RunCancelled) -> str:
    return f"{what} by {record.by}{f': {shorten(record.why, 200)}' if record.why else ''}"


def refusal_line(refusal: Refusal) -> Line:
    """A workflow that a limit kept from starting."""
    limit = _LIMITS.get(refusal.limit, refusal.limit)
    return line(
        "  ", Piece(f"{BROKEN} {refusal.workflow} not started", "bad"), f": the limit of {refusal.amount:g} {limit}"
    )


def source_words(event: Event) -> str:
    """Where an event came from, as a person would say it: `sentry_issues`, `triage/investigate`, `schedule upkeep`."""
    first, *others = event.source.strip("/").split("/")
    match first, others:
        case "sensors" | "cli", [name]:
            return name
        case "schedules", [name]:
            return f"schedule {name}"
        case _:
            return "/".join((first, *others))


def event_lines(started: RunStarted) -> list[Line]:
    """The event that started a run: what it is, where it came from, what it holds."""
    event = started.event
    about = f"  {short(event.id)}  from {source_words(event)}  at {date_time(event.time)}"
    heading = line(Piece(event.type, "name"), Piece(about, "dim"))
    return [heading, *_replay_lines(event), line(f"  {values(event.data)}")]


def _replay_lines(event: Event) -> list[Line]:
    """Of an event that was replayed: which it repeats, who had it so, and why."""
    if event.replay_of is None:
        return []
    by = f" by {event.replayed_by}" if event.replayed_by else ""
    why = f": {shorten(event.replayed_why, 200)}" if event.replayed_why else ""
    return [line(Piece(f"  replays {short(event.replay_of)}{by}{why}", "dim"))]


def failed_lines(attempts: Iterable[Result]) -> list[Line]:
    """Those of a run's attempts that failed, with the reason, in order; the epoch is said where it is not the first."""
    failures = [attempt for attempt in attempts if isinstance(attempt, AttemptFailed)]
    return [told for failure in sorted(failures, key=lambda failure: failure.at) for told in _failure_lines(failure)]


def _failure_lines(failure: AttemptFailed) -> list[Line]:
    first, *others = failure.detail.splitlines() or [""]
    epoch = f" of epoch {failure.epoch}" if failure.epoch else ""
    heading = f"{failure.step}, attempt {failure.attempt}{epoch}: {failure.reason}: {first}"
    return [line(Piece(f"  {BROKEN} ", "bad"), heading), *(line(f"      {other}") for other in others)]


def _begun(started: RunStarted, seen: SeenFacts) -> list[Line]:
    """The event with all that it started, told with its first run; the others of its runs are in that line too."""
    event = started.event
    routed = seen.route(event.cascade, event.id)
    if routed is None or not routed.runs or routed.runs[0].run != started.run:
        return []
    workflows = ", ".join(member.workflow for member in routed.runs)
    heading = _heading(event.time, event.type, event.id, f"{source_words(event)} {LEADS_TO} {workflows}")
    return [heading, *map(refusal_line, routed.refused)]


def _ending(routed: EventRouted) -> list[Line]:
    """An event that started nothing: no workflow is on it, or limits held back all that are."""
    where = "held back" if routed.refused else "starts no workflow"
    return [_heading(routed.at, routed.type, routed.event, where), *map(refusal_line, routed.refused)]


def _heading(at: datetime, event_type: str, event: str, where: str) -> Line:
    return line(
        Piece(clock_time(at), "dim"), "  ", Piece(event_type, "name"), f"  {short(event)}  ", Piece(where, "dim")
    )


def _step_line(workflow: str, step: str, *pieces: str | Piece) -> Line:
    return line(f"  {f'{workflow}/{step}':<{_NAME_WIDTH}}  ", *pieces)


def _ended(ended: RunEnded, seen: SeenFacts) -> Line:
    detail = f"by {ended.by}{f': {ended.detail}' if ended.detail else ''}" if ended.by else ended.detail
    return _over(ended.run, ended.workflow, ended.at, ended.outcome, ended.step, detail, seen)


def _over(
    run: str, workflow: str, at: datetime, outcome: Outcome, step: str | None, detail: str, seen: SeenFacts
) -> Line:
    started = seen.run(run).started
    took = f"  {duration((at - started.at).total_seconds())}" if started is not None else ""
    why = f"  {f'{step}: ' if step else ''}{shorten(detail, 200)}" if outcome != "succeeded" else ""
    return line(
        f"  {workflow:<{_NAME_WIDTH}}  ", outcome_piece(outcome), took, why, Piece(f"  run {short(run)}", "dim")
    )


def _steered(record: RunPaused | RunResumed | RunCancelled, what: str) -> Line:
    """What somebody had a run do."""
    told = _by(what, record)
    return line(
        f"  {record.workflow:<{_NAME_WIDTH}}  ", Piece(told, "busy"), Piece(f"  run {short(record.run)}", "dim")
    )
