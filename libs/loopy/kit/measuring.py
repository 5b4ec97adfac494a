"""What the services of a process have counted, and what their connections tell, as Prometheus reads it."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from loopy.kit.metrics import (
    CONNECTED,
    CONSUMER_LAG,
    COUNTED,
    DEAD_LETTERS,
    LOOKED_UP,
    READY,
    RECONNECTS,
    SERVICE,
    STREAM_BYTES,
    STREAM_LIMIT,
    Metric,
)

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

CONTENT_TYPE = CONTENT_TYPE_LATEST

Counted: TypeAlias = Counter | Gauge | Histogram


class Look(msgspec.Struct, frozen=True):
    """What a look at one service tells: its connection, its dead letters by consumer and reason, its consumers' lag.

    `rooms` are the bytes in each stream and the most that it may hold.
    """

    service: str
    ready: bool
    connected: bool
    reconnects: int
    dead_letters: dict[tuple[str, str], int]
    lag: dict[str, int]
    rooms: dict[str, tuple[int, int | None]] = {}


class Measurements:
    """The measurements of a process; nothing of them is shared with another value of this class."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counted = {metric: _counted(metric, self._registry) for metric in COUNTED}
        self._looks: Iterable[Look] = ()
        self._registry.register(_Looked(lambda: self._looks))
        ProcessCollector(registry=self._registry)

    def of(self, service: str) -> "ServiceMetrics":
        """What one service counts with."""
        return ServiceMetrics(service, self._counted)

    def text(self, looks: Iterable[Look]) -> bytes:
        """All of it in Prometheus' text format, with what was just looked up."""
        self._looks = tuple(looks)
        return generate_latest(self._registry)


class ServiceMetrics:
    """The `Metrics` of one service."""

    def __init__(self, service: str, counted: dict[Metric, Counted]) -> None:
        self._service = service
        self._counted = counted
        self._children: dict[tuple[str, tuple[str, ...]], Any] = {}  # names: a struct is hashed anew each time

    def add(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter or a gauge."""
        self._child(metric, labels).inc(by)

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Enter a value into a histogram."""
        self._child(metric, labels).observe(value)

    def _child(self, metric: Metric, labels: tuple[str, ...]) -> Any:
        """What counts it, of the metric's kind: to ask it for its class costs more than to count."""
        found = self._children.get((metric.name, labels))
        if found is None:
            found = self._children[metric.name, labels] = self._counted[metric].labels(self._service, *labels)
        return found


class _Looked(Collector):
    """Gives the registry what the last look told."""

    def __init__(self, looks: Callable[[], Iterable[Look]]) -> None:
        self._looks = looks

    def collect(self) -> Iterator["Family"]:
        """Each metric that is looked up, with a sample for each service."""
        families = {metric: _family(metric) for metric in LOOKED_UP}
        for look in self._looks():
            for metric, labels, value in _samples(look):
                families[metric].add_metric([look.service, *labels], value)
        yield from families.values()


def _samples(look: Look) -> Iterator[tuple[Metric, tuple[str, ...], float]]:
    yield READY, (), look.ready
    yield CONNECTED, (), look.connected
    yield RECONNECTS, (), look.reconnects
    for where, count in look.dead_letters.items():
        yield DEAD_LETTERS, where, count
    for consumer, lag in look.lag.items():
        yield CONSUMER_LAG, (consumer,), lag
    for stream, (taken, most) in look.rooms.items():
        yield STREAM_BYTES, (stream,), taken
        if most is not None:
            yield STREAM_LIMIT, (stream,), most


def _counted(metric: Metric, registry: CollectorRegistry) -> Counted:
    labels = (SERVICE, *metric.labels)
    match metric.kind:
        case "counter":
            return Counter(metric.name, metric.help, labels, registry=registry)
        case "gauge":
            return Gauge(metric.name, metric.help, labels, registry=registry)
        case "histogram":
            return Histogram(metric.name, metric.help, labels, buckets=metric.buckets, registry=registry)


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return family(metric.name, metric.help, labels=(SERVICE, *metric.labels))
