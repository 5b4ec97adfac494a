"""Metrics: named as Prometheus wants it, told on their page, counted by someone, and shown from the start."""

import re
from pathlib import Path

from loopy.kit import metrics
from loopy.kit.measuring import Look, Measurements
from loopy.kit.metrics import COUNTED, METRICS, RUNS_ENDED, SLOTS_IN_USE, WEBHOOK_SECONDS
from tests.support.metrics_page import PAGE, page

SERVICES = Path(__file__).parents[3] / "services"
ALL_WELL = Look("executor", True, True, 2, {("executor-default", "no_plan"): 3}, {"executor-default": 7})


def test_the_reference_page_is_what_the_metrics_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.support.metrics_page"


def test_a_name_tells_its_kind() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"loopy_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert metric.name.endswith("_seconds") == (metric.unit == "seconds"), metric.name
        assert bool(metric.buckets) == (metric.kind == "histogram"), metric.name


def test_every_metric_that_services_count_is_counted_by_one() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in SERVICES.rglob("*.py"))
    known = {name: value for name, value in vars(metrics).items() if value in COUNTED}
    assert len(known) == len(COUNTED)
    assert [name for name in known if not re.search(rf"\b(?:add|observe)\(\s*{name}\b", code)] == []


def test_what_is_counted_and_what_is_looked_up_is_shown_with_its_service() -> None:
    measurements = Measurements()
    executor = measurements.of("executor")
    executor.add(RUNS_ENDED, "resolve", "failed", by=2)
    executor.add(SLOTS_IN_USE)
    executor.add(SLOTS_IN_USE, by=-1)
    executor.observe(WEBHOOK_SECONDS, 0.2, "sentry")
    lines = measurements.text([ALL_WELL]).decode().splitlines()
    for line in (
        'loopy_runs_ended_total{outcome="failed",service="executor",workflow="resolve"} 2.0',
        'loopy_slots_in_use{service="executor"} 0.0',
        'loopy_webhook_seconds_count{sensor="sentry",service="executor"} 1.0',
        'loopy_ready{service="executor"} 1.0',
        'loopy_nats_reconnects_total{service="executor"} 2.0',
        'loopy_dead_letters_total{consumer="executor-default",reason="no_plan",service="executor"} 3.0',
        'loopy_consumer_lag_messages{consumer="executor-default",service="executor"} 7.0',
    ):
        assert line in lines
    assert {line.split()[2] for line in lines if line.startswith("# TYPE loopy")} >= {m.name for m in METRICS}


def test_two_processes_worth_of_measurements_share_nothing() -> None:
    one, other = Measurements(), Measurements()
    one.of("a").add(SLOTS_IN_USE)
    assert 'loopy_slots_in_use{service="a"}' not in other.text([]).decode()
