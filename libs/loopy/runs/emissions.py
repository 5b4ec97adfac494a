"""The events that a success emitted, with their ids: the same for whoever asks."""

from collections import Counter
from collections.abc import Iterator

from loopy.runs.ids import emitted_id
from loopy.runs.records import AttemptSucceeded, Emitted


def emissions(success: AttemptSucceeded) -> Iterator[tuple[str, Emitted]]:
    """(event id, payload) of each event; those of one type are numbered in the order in which the agent gave them."""
    counts: Counter[str] = Counter()
    for emitted in success.emits:
        yield emitted_id(success.run, success.step, success.epoch, emitted.event, counts[emitted.event]), emitted
        counts[emitted.event] += 1
