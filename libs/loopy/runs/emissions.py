"""The events that a success emitted, with their ids, and whether it may: the same for whoever asks."""

from collections import Counter
from collections.abc import Iterator

from loopy.compiler.plan import Step
from loopy.runs.ids import emitted_id
from loopy.runs.records import AttemptFailed, AttemptSucceeded, Emitted


def emissions(success: AttemptSucceeded) -> Iterator[tuple[str, Emitted]]:
    """(event id, payload) of each event; those of one type are numbered in the order in which the agent gave them."""
    counts: Counter[str] = Counter()
    for emitted in success.emits:
        yield emitted_id(success.run, success.step, success.epoch, emitted.event, counts[emitted.event]), emitted
        counts[emitted.event] += 1


def overreaching(step: Step, success: AttemptSucceeded) -> AttemptFailed | None:
    """What a success comes to that emits another event than its step declares, or more of one; None when it does not.

    An executor of ours stores no such result. Whoever did is not to be tried again until somebody looks at it.
    """
    if not success.emits:
        return None
    most = {emission.event: emission.max for emission in step.emits}
    counts = Counter(emitted.event for emitted in success.emits)
    event = next((event for event, count in counts.items() if count > most.get(event, 0)), None)
    if event is None:
        return None
    may = f"may emit {most[event]} at most" if event in most else "does not declare"
    detail = f"its result emits {counts[event]} × `{event}`, which the step {may}"
    return AttemptFailed(
        success.run,
        success.workflow,
        success.step,
        success.attempt,
        success.executor,
        success.started_at,
        success.at,
        "undeclared_event",
        detail,
        retryable=False,
        usage=success.usage,
        epoch=success.epoch,
        lease=success.lease,
    )
