"""Spans by OpenTelemetry, where an endpoint for them is configured; else nothing is imported and nothing costs.

Who sets `OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`) gets them there over OTLP/HTTP; the other variables of
OpenTelemetry's SDK count as well. A span is told when it is over, with its times: nothing is kept open meanwhile, so a
process that dies loses a line in a picture and no more.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from loopy.runs.trace import Span

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
EXTRA = "pip install 'loopy-core[otel]'"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Tracer(Protocol):
    """Who is told of spans."""

    def tell(
        self, name: str, span: Span, began: datetime, ended: datetime, *, failed: str = "", **attributes: str | int
    ) -> None:
        """One span that is over; `failed` says why what it is of went wrong. Never waits, never raises."""
        ...

    async def close(self) -> None:
        """Have all that was told sent."""
        ...


class Untraced:
    """Nobody listens."""

    def tell(
        self, name: str, span: Span, began: datetime, ended: datetime, *, failed: str = "", **attributes: str | int
    ) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""


UNTRACED = Untraced()


class OpenTelemetryTracer:
    """Sends spans in batches, from a thread of the SDK's own."""

    def __init__(self, processor: "SpanProcessor", resource: "Resource") -> None:
        self._processor = processor
        self._resource = resource

    def tell(
        self, name: str, span: Span, began: datetime, ended: datetime, *, failed: str = "", **attributes: str | int
    ) -> None:
        """One span that is over."""
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanKind, Status, StatusCode

        told = ReadableSpan(
            name=name,
            context=_context(span.trace, span.id),
            parent=_context(span.trace, span.parent) if span.parent else None,
            resource=self._resource,
            attributes={f"loopy.{key}": value for key, value in attributes.items()},
            kind=SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, failed) if failed else Status(StatusCode.UNSET),
            start_time=_nanoseconds(began),
            end_time=max(_nanoseconds(began), _nanoseconds(ended)),
        )
        self._processor.on_end(told)

    async def close(self) -> None:
        """Have all that was told sent; whoever does not answer is not waited for."""
        await asyncio.to_thread(self._processor.shutdown)


def open_tracer(environment: Mapping[str, str], service: str) -> Tracer:
    """The tracer of a service, as the environment says. A missing SDK is logged, and then nothing is traced."""
    wanted = any(environment.get(name) for name in ENDPOINTS)
    if not wanted or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return UNTRACED
    import structlog

    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        structlog.get_logger().warning("tracing.unavailable", detail=f"an endpoint is configured: {EXTRA}")
        return UNTRACED
    resource = Resource.create({"service.name": f"loopy-{service}", "service.namespace": "loopy"})
    return OpenTelemetryTracer(BatchSpanProcessor(OTLPSpanExporter()), resource)


def _context(trace: str, span: str) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(int(trace, 16), int(span, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _nanoseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000
