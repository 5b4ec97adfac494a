"""Spans reach a collector over OTLP, where one is configured; where none is, nothing is sent."""

from datetime import UTC, datetime, timedelta

import pytest

from loopy.kit.tracing import UNTRACED, open_tracer
from loopy.runs.trace import Span
from tests.support.collector import collecting

BEGAN = datetime(2026, 11, 22, 12, 0, 0, 123456, UTC)
FIRST, SECOND = Span("a" * 32, "1" * 16), Span("a" * 32, "2" * 16, "1" * 16)


async def test_a_span_arrives_as_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        for name, value in collector.environment.items():
            monkeypatch.setenv(name, value)
        tracer = open_tracer(collector.environment, "dispatcher")
        tracer.tell("run triage", FIRST, BEGAN, BEGAN + timedelta(seconds=2), run="r1", attempt=2)
        tracer.tell("attempt", SECOND, BEGAN, BEGAN - timedelta(seconds=9), failed="exit_code")
        await tracer.close()
        first, second = collector.spans
    assert (first.service, first.name, first.trace, first.id, first.parent) == (
        "loopy-dispatcher",
        "run triage",
        "a" * 32,
        "1" * 16,
        "",
    )
    assert (first.ended - first.began, first.failed) == (2_000_000_000, "")
    assert first.attributes == {"loopy.run": "r1", "loopy.attempt": "2"}
    assert (second.parent, second.failed, second.ended - second.began) == ("1" * 16, "exit_code", 0)


@pytest.mark.parametrize(
    "environment", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}]
)
def test_nothing_is_traced_where_nobody_asked_for_it(environment: dict[str, str]) -> None:
    assert open_tracer(environment, "dispatcher") is UNTRACED


async def test_a_collector_that_is_away_disturbs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    for name, value in away.items():
        monkeypatch.setenv(name, value)
    tracer = open_tracer(away, "dispatcher")
    tracer.tell("run triage", FIRST, BEGAN, BEGAN)
    await tracer.close()
