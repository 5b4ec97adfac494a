"""How the outside world becomes events: Sentry's issue webhook, and a poll of the goals' metrics."""

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from loopy import Request, Tick, sensor
from loopy.events import Incident, MetricThreshold

METRICS = Path(__file__).parents[1] / "metrics" / "goals.csv"
FIRST_WINDOW = timedelta(minutes=5)
NO_INCIDENT = {"assigned", "archived", "resolved"}


@sensor(webhook="/hooks/sentry", emits="Incident")
def sentry_issues(req: Request) -> Incident | None:
    """A new or returning issue is an incident; Sentry's news of our own work on one is not."""
    if req.json.get("action") in NO_INCIDENT:
        return None
    issue = req.json["data"]["issue"]
    return Incident(source="sentry", issue_id=issue["id"], title=issue["title"], link=issue["permalink"])


@sensor(poll="5m", emits="MetricThreshold")
def metric_watch(tick: Tick) -> Iterator[MetricThreshold]:
    """Each goal whose metric rose to its threshold since the last poll, once.

    A crossing lies between two samples, and a sample in exactly one window `(last_run, scheduled_at]`: a metric that
    stays above its threshold is not announced again, and a poll that is repeated announces the same.
    """
    since = tick.last_run or tick.scheduled_at - FIRST_WINDOW
    above: dict[str, bool] = {}
    crossed: dict[str, None] = {}
    with METRICS.open(newline="", encoding="utf-8") as samples:
        for sample in csv.DictReader(samples):
            goal, is_above = sample["goal_id"], float(sample["value"]) >= float(sample["threshold"])
            if (
                is_above
                and not above.get(goal, False)
                and since < datetime.fromisoformat(sample["time"]) <= tick.scheduled_at
            ):
                crossed[goal] = None
            above[goal] = is_above
    for goal in crossed:
        yield MetricThreshold(goal_id=goal)
