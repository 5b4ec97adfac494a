"""What `loopy run` says once it serves: one line for the state of things, and every address below it."""

from collections.abc import Iterator
from datetime import datetime

from loopy.cli.screen import LEADS_TO, Line, Piece, counted, date_time, line, shorten, table
from loopy.compiler.plan import Plan, PollSource, WebhookSource

WIDEST_LIST = 60


def headline(plan: Plan) -> str:
    """`hosting sensor webhooks · 1 schedule armed · waiting for events`; what the project has not is left out."""
    hooks = ["hosting sensor webhooks"] if _webhooks(plan) else []
    schedules = [f"{counted(len(plan.schedules), 'schedule')} armed"] if plan.schedules else []
    return " · ".join((*hooks, *schedules, "waiting for events"))


def addresses(plan: Plan, http_url: str, now: datetime, trigger: str) -> list[Line]:
    """Where webhooks arrive, what fires when, where the API is, and how to trigger an event by hand."""
    rows = [*_sensor_rows(plan, http_url), *_schedule_rows(plan, now)]
    rows.append(_row("api", f"{http_url}/api/runs", "runs as JSON"))
    if plan.events:
        rows.append(_row("trigger", shorten(", ".join(plan.events), WIDEST_LIST), trigger))
    return table(rows)


def new_addresses(before: Plan, plan: Plan, http_url: str, now: datetime) -> list[Line]:
    """The webhooks, polls and schedules that a plan has and the one before had not, as `addresses` has them."""
    known = {*_sensor_rows(before, http_url), *_schedule_rows(before, now)}
    return table([row for row in (*_sensor_rows(plan, http_url), *_schedule_rows(plan, now)) if row not in known])


def _webhooks(plan: Plan) -> dict[str, str]:
    return {s.name: s.source.path for s in plan.sensors.values() if isinstance(s.source, WebhookSource)}


def _sensor_rows(plan: Plan, http_url: str) -> Iterator[Line]:
    for name, path in _webhooks(plan).items():
        yield _row("webhook", f"{http_url}{path}", f"{LEADS_TO} {name}")
    for sensor in plan.sensors.values():
        if isinstance(sensor.source, PollSource):
            yield _row("poll", sensor.name, f"every {interval(sensor.source.every_s)}")


def _schedule_rows(plan: Plan, now: datetime) -> Iterator[Line]:
    from loopy.compiler.cron import next_firing

    for workflow, trigger in plan.schedules.items():
        due = next_firing(trigger.expression, trigger.zone, now)
        yield _row("schedule", workflow, f"next at {date_time(due)}")


def _row(kind: str, what: str, about: str) -> Line:
    return line(Piece(f"  {kind}", "dim"), what, Piece(about, "dim"))


def interval(seconds: float) -> str:
    """`90s`, `5m`, `2h`: the largest unit that needs no fraction."""
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"
