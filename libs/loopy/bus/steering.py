"""What people had runs do: a view of pauses, resumes and cancellations, kept current by following the facts.

It lets a service know without asking. It may be a moment behind; whatever must be exact is decided by the journal.
"""

from collections import OrderedDict

from loopy.bus.client import Bus
from loopy.bus.codec import read_record
from loopy.bus.messages import Message
from loopy.bus.streams import RUNS
from loopy.bus.undecodable import Undecodable
from loopy.runs.records import RunCancelled, RunPaused, RunResumed

KINDS = ("cancel", "pause", "resume")
MOST_CANCELLED = 10_000


class Steering:
    """The runs that were steered: which of them are paused now, which were ever resumed, which were cancelled."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._paused: set[str] = set()
        self._resumed: set[str] = set()
        self._cancelled: OrderedDict[str, None] = OrderedDict()
        self._position = 0

    async def load(self) -> None:
        """Learn of all that is stored; from then on `follow` keeps it current."""
        filters = [self._bus.subjects.every(kind) for kind in KINDS]
        self._position = await self._bus.position(RUNS)
        async for message in self._bus.read(RUNS, filters):
            self._see(message)

    async def follow(self) -> None:
        """Learn of what is stored from now on; returns only when cancelled."""
        filters = [self._bus.subjects.every(kind) for kind in KINDS]
        async for message in self._bus.read(RUNS, filters, after=self._position, follow=True):
            self._see(message)

    def is_steered(self, run: str) -> bool:
        """Whether anybody ever steered this run, so that only its journal tells what follows."""
        return run in self._paused or run in self._resumed or run in self._cancelled

    def is_paused(self, run: str) -> bool:
        """Whether nothing new is to begin in this run."""
        return run in self._paused

    def is_cancelled(self, run: str) -> bool:
        """Whether this run is to end at once."""
        return run in self._cancelled

    def _see(self, message: Message) -> None:
        try:
            record = read_record(message)
        except Undecodable:
            return
        match record:
            case RunPaused(run=run):
                self._paused.add(run)
            case RunResumed(run=run):
                self._paused.discard(run)
                self._resumed.add(run)
            case RunCancelled(run=run):
                self._paused.discard(run)
                self._cancelled[run] = None
                while len(self._cancelled) > MOST_CANCELLED:
                    self._cancelled.popitem(last=False)
            case _:
                pass
