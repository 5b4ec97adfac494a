"""Times: cron expressions, zones, waits, and the keys that only an entry step or a schedule may have."""

from loopy.compiler.catalogue import RETENTION_S
from loopy.compiler.resolve import Report
from loopy.compiler.workflows import Shape
from loopy.diagnostics.diagnostic import Diagnostic
from loopy.diagnostics.span import Span
from loopy.project.model import OnCron, ProjectDecl, StepDecl

_DAYS = round(RETENTION_S / 86400)


def check_schedules(project: ProjectDecl, shapes: list[Shape], report: Report) -> None:
    """Report what is wrong with schedules and waits."""
    for shape in shapes:
        for step in shape.steps.values():
            if isinstance(step.on, OnCron):
                _cron(step.on, report)
            _misplaced_keys(step, shape, report)
            _step_waits(step, report)
    _other_waits(project, report)


def _cron(on: OnCron, report: Report) -> None:
    from loopy.compiler.cron import expression_problem, zone_problem

    problem = expression_problem(on.expression.value)
    if problem:
        help_ = 'minute hour day month weekday, as in `cron("0 9 * * mon-fri")`'
        report(Diagnostic("LP720", problem, on.expression.span, help=help_))
    problem = zone_problem(on.zone.value) if on.zone is not None else None
    if problem and on.zone is not None:
        headline, _, help_ = problem.partition("; ")
        help_ = help_ or "name a zone of the IANA database, as in `Europe/Berlin`"
        report(Diagnostic("LP721", headline, on.zone.span, "unknown time zone", help=help_))


def _misplaced_keys(step: StepDecl, shape: Shape, report: Report) -> None:
    if shape.entry is None or step.name in shape.lost:
        return
    if step.concurrency is not None and step.on is None:
        headline = f"`concurrency` limits whole runs, so it belongs to the step that begins them, `{shape.entry.name}`"
        help_ = f"move it to `{shape.entry.path}`"
        report(Diagnostic("LP411", headline, step.keys.get("concurrency", step.concurrency.span), help=help_))
    for key, value in (("catch_up", step.catch_up), ("overlap", step.overlap)):
        if value is not None and not isinstance(step.on, OnCron):
            headline = f"`{key}` is about missed or overlapping firings, and `{step.name}` has no schedule"
            help_ = "it belongs to a step with `on: cron(…)`"
            report(Diagnostic("LP412", headline, step.keys.get(key, value.span), help=help_))


def _step_waits(step: StepDecl, report: Report) -> None:
    wall_clock = step.budget.wall_clock_s if step.budget is not None else None
    if wall_clock is not None and wall_clock.value > RETENTION_S:
        report(_too_long("a wall clock", wall_clock.span))
    retry = step.retry
    if retry is not None and max(retry.backoff_s or 0, retry.max_backoff_s or 0) > RETENTION_S:
        report(_too_long("a pause between attempts", step.keys.get("retry", step.span)))


def _other_waits(project: ProjectDecl, report: Report) -> None:
    for sensor in project.sensors:
        if sensor.poll_s is not None and sensor.poll_s.value > RETENTION_S:
            report(_too_long("a poll", sensor.poll_s.span))
    for expectation in project.registry.expectations:
        if expectation.within_s > RETENTION_S:
            report(_too_long("an expectation", expectation.then.span))


def _too_long(what: str, span: Span) -> Diagnostic:
    headline = f"{what} of more than {_DAYS} days is longer than the bus remembers a run"
    return Diagnostic("LP723", headline, span, help=f"wait {_DAYS} days at most")
