"""Every metric as data, and what a service counts with. docs/reference/metrics.md is made of this.

A name says what is counted and in which unit; each metric has the label `service` besides its own. Labels hold names of
the project and constant words, never ids: their combinations are few.
"""

from typing import Literal, Protocol, TypeAlias

import msgspec

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

SERVICE = "service"
FAST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SLOW_S = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)


class Metric(msgspec.Struct, frozen=True):
    """One metric: its name, what it is to Prometheus, its unit, what it tells, its labels, a histogram's bounds."""

    name: str
    kind: Kind
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


DELIVERIES = Metric(
    "loopy_deliveries_total",
    "counter",
    "requests",
    "Webhook requests by what became of them: accepted, duplicate, challenge, refused, too_large, broken_off, "
    "unavailable, failed.",
    ("sensor", "result"),
)
WEBHOOK_SECONDS = Metric(
    "loopy_webhook_seconds",
    "histogram",
    "seconds",
    "From a webhook request's head to its answer, which follows the stream's acknowledgement.",
    ("sensor",),
    FAST_S,
)
SENSED = Metric(
    "loopy_sensed_total",
    "counter",
    "calls",
    "Deliveries and polls by what their sensor made of them: mapped to events (perhaps none), or failed for good.",
    ("sensor", "result"),
)
FIRINGS = Metric(
    "loopy_firings_total",
    "counter",
    "firings",
    "Firings that this scheduler was the first to publish: kind `cron` by workflow, kind `poll` by sensor.",
    ("kind", "schedule"),
)
EVENTS_ROUTED = Metric(
    "loopy_events_routed_total",
    "counter",
    "events",
    "Events and firings that this dispatcher was the first to route, to runs or to none.",
    ("type",),
)
RUNS_STARTED = Metric(
    "loopy_runs_started_total",
    "counter",
    "runs",
    "Runs that this dispatcher was the first to start.",
    ("workflow",),
)
RUN_START_SECONDS = Metric(
    "loopy_run_start_seconds",
    "histogram",
    "seconds",
    "From an event's storage to that of a run's start. By the server's clock and the dispatcher's.",
    ("workflow",),
    FAST_S,
)
RUNS_ENDED = Metric(
    "loopy_runs_ended_total",
    "counter",
    "runs",
    "Ends of runs that this dispatcher saw, by outcome.",
    ("workflow", "outcome"),
)
RUNS_ARCHIVED = Metric(
    "loopy_runs_archived_total",
    "counter",
    "runs",
    "Ended runs that this scheduler was the first to archive, before it deleted their messages.",
)
ATTEMPTS = Metric(
    "loopy_attempts_total",
    "counter",
    "attempts",
    "Attempts that this executor has ended: succeeded; failed, with the reason of `AttemptFailed`; abandoned, because "
    "the lease was lost (`lease_lost`) or a fact said meanwhile how it ended (`settled_elsewhere`).",
    ("workflow", "outcome", "reason"),
)
ATTEMPT_SECONDS = Metric(
    "loopy_attempt_seconds",
    "histogram",
    "seconds",
    "From the taking of an attempt to its result.",
    ("workflow", "outcome"),
    SLOW_S,
)
SPEND = Metric(
    "loopy_spend_usd_total",
    "counter",
    "US dollars",
    "What attempts cost, as their runtimes report it; failed attempts count.",
    ("workflow",),
)
SLOTS = Metric("loopy_slots", "gauge", "attempts", "How many attempts this executor executes at once.")
SLOTS_IN_USE = Metric("loopy_slots_in_use", "gauge", "attempts", "How many attempts this executor is executing.")
CONSUMER_LAG = Metric(
    "loopy_consumer_lag_messages",
    "gauge",
    "messages",
    "Messages that a consumer has still to deal with, delivered ones included; the same from every replica. Missing "
    "while the server does not say.",
    ("consumer",),
)
STREAM_BYTES = Metric(
    "loopy_stream_bytes",
    "gauge",
    "bytes",
    "What a stream holds, told by the first service of each process; the same from every replica. Missing while the "
    "server does not say.",
    ("stream",),
)
STREAM_LIMIT = Metric(
    "loopy_stream_limit_bytes",
    "gauge",
    "bytes",
    "The most that a stream may hold: a full one refuses what is published. Missing where age alone bounds it.",
    ("stream",),
)
DEAD_LETTERS = Metric(
    "loopy_dead_letters_total",
    "counter",
    "messages",
    "Messages that this process has set aside as dead letters.",
    ("consumer", "reason"),
)
CONNECTED = Metric("loopy_nats_connected", "gauge", "1 or 0", "Whether the service is connected to NATS.")
RECONNECTS = Metric("loopy_nats_reconnects_total", "counter", "connections", "How often the connection was made anew.")
READY = Metric("loopy_ready", "gauge", "1 or 0", "Whether the service is ready, as `/readyz` tells.")

# What services count themselves, and what is looked up at each scrape.
COUNTED = (
    DELIVERIES, WEBHOOK_SECONDS, SENSED, FIRINGS, EVENTS_ROUTED, RUNS_STARTED, RUN_START_SECONDS, RUNS_ENDED,
    RUNS_ARCHIVED, ATTEMPTS, ATTEMPT_SECONDS, SPEND, SLOTS, SLOTS_IN_USE,
)  # fmt: skip
LOOKED_UP = (CONSUMER_LAG, STREAM_BYTES, STREAM_LIMIT, DEAD_LETTERS, CONNECTED, RECONNECTS, READY)
METRICS = (*COUNTED, *LOOKED_UP)


class Metrics(Protocol):
    """What a service counts with; `labels` are the values of the metric's labels, in their order."""

    def add(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter or a gauge."""
        ...

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Enter a value into a histogram."""
        ...


class Unmeasured:
    """Counts nothing: for services that nobody measures."""

    def add(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Forget it."""

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Forget it."""


UNMEASURED: Metrics = Unmeasured()
