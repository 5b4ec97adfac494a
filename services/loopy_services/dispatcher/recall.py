"""What this dispatcher was given of the runs under way: enough to decide without reading, while it is the only one.

It is a copy and nothing depends on it: whatever it cannot vouch for is read from the journal, as after a start, or when
other dispatchers are given some of the facts.
"""

from collections import OrderedDict

import msgspec

from loopy.bus.messages import Message
from loopy.runs.records import Record, RunEnded, RunStarted
from loopy.runs.state import RunState, fold

MOST_BYTES = 64 << 20


class _Known(msgspec.Struct):
    """The facts of a run that were given to us, by sequence, beginning with `RunStarted`."""

    start: int
    facts: dict[int, Record]
    size: int = 0


class Recall:
    """The facts of runs that began here; those of the runs that were quiet for longest are forgotten."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._size = 0
        self._runs: OrderedDict[str, _Known] = OrderedDict()

    def note(self, message: Message, run: str, record: Record) -> None:
        """Take a fact, in the order in which facts come. A run that has ended needs no recalling.

        A run is known from the first delivery of its beginning on: what follows is delivered only then.
        """
        if isinstance(record, RunStarted) and message.deliveries == 1 and not message.replay:
            self._runs.setdefault(run, _Known(message.sequence, {}))
        known = self._runs.get(run)
        if known is None or message.sequence in known.facts:
            return
        if isinstance(record, RunEnded):
            self._forget(run)
            return
        known.facts[message.sequence] = record
        known.size += len(message.payload)
        self._size += len(message.payload)
        self._runs.move_to_end(run)
        while self._size > self._most_bytes:
            self._forget(next(iter(self._runs)))

    def before(self, message: Message, run: str) -> RunState | None:
        """The state of a run just before a fact of it; None when a fact of the run may have gone to somebody else."""
        known = self._runs.get(run)
        if known is None or not 0 < message.alone_since <= known.start:
            return None
        return fold(run, (fact for sequence, fact in sorted(known.facts.items()) if sequence < message.sequence))

    def _forget(self, run: str) -> None:
        known = self._runs.pop(run, None)
        self._size -= known.size if known is not None else 0
