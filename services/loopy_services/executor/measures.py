"""What an executor counts: slots in use, and each attempt with its outcome, its time and its cost. And its span."""

from collections.abc import Iterator
from contextlib import contextmanager

from loopy.kit.metrics import ATTEMPT_SECONDS, ATTEMPTS, SLOTS_IN_USE, SPEND, Metrics
from loopy.kit.tracing import UNTRACED, Tracer
from loopy.runs.records import AttemptFailed, AttemptRequested, AttemptSucceeded
from loopy.runs.trace import attempt_span


@contextmanager
def slot_in_use(metrics: Metrics) -> Iterator[None]:
    """Count a slot as in use until the block ends."""
    metrics.add(SLOTS_IN_USE)
    try:
        yield
    finally:
        metrics.add(SLOTS_IN_USE, by=-1)


def count_attempt(metrics: Metrics, fact: AttemptSucceeded | AttemptFailed) -> None:
    """Count an attempt by the fact of how it ended."""
    outcome, reason = ("failed", fact.reason) if isinstance(fact, AttemptFailed) else ("succeeded", "")
    metrics.add(ATTEMPTS, fact.workflow, outcome, reason)
    metrics.observe(ATTEMPT_SECONDS, max(0.0, (fact.at - fact.started_at).total_seconds()), fact.workflow, outcome)
    if fact.usage.spend_usd:
        metrics.add(SPEND, fact.workflow, by=fact.usage.spend_usd)


def trace_attempt(tracer: Tracer, request: AttemptRequested, fact: AttemptSucceeded | AttemptFailed) -> None:
    """Tell the span of an attempt, below its run's."""
    if tracer is UNTRACED:
        return
    tracer.tell(
        f"attempt {fact.workflow}/{fact.step}",
        attempt_span(fact.run, fact.step, fact.epoch, fact.attempt, request.event),
        fact.started_at,
        fact.at,
        failed=fact.reason if isinstance(fact, AttemptFailed) else "",
        run=fact.run,
        step=fact.step,
        attempt=fact.attempt,
        epoch=fact.epoch,
    )
