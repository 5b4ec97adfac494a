"""What people had runs do: a view of pauses, resumes and cancellations, and of what holds for all runs.

It lets a service know without asking. It may be a moment behind; whatever must be exact is decided by the journal, or
stored on a condition that the server checks.
"""

import asyncio
from collections import OrderedDict

from loopy.bus.client import Bus
from loopy.bus.control import Control
from loopy.bus.facts import read_fact
from loopy.bus.following import Following
from loopy.bus.messages import Message
from loopy.bus.streams import RUNS
from loopy.bus.undecodable import Undecodable
from loopy.runs.records import RunCancelled, RunPaused, RunResumed

KINDS = ("cancel", "pause", "resume")
MOST_CANCELLED = 10_000


class Steering:
    """The runs that were steered: which of them are paused now, which were ever resumed, which were cancelled.

    A pause that was stored only after its epoch was over pauses nothing, as in the journal. `control` is what holds for
    everything, or for a workflow.
    """

    def __init__(self, bus: Bus) -> None:
        self.control = Control(bus)
        self._subjects = bus.subjects
        self._following = Following(bus, RUNS, [bus.subjects.every(kind) for kind in KINDS], self._see)
        self._paused: set[str] = set()
        self._resumed: dict[str, int] = {}  # the newest epoch of each
        self._cancelled: OrderedDict[str, None] = OrderedDict()

    async def load(self) -> None:
        """Learn of all that is stored; from then on `follow` keeps it current."""
        await asyncio.gather(self._following.load(), self.control.load())

    async def follow(self) -> None:
        """Learn of what is stored from now on; returns only when cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._following.follow())
            group.create_task(self.control.follow())

    @property
    def is_current(self) -> bool:
        """Whether it is only a moment behind; else only a run's journal tells what people had it do."""
        return self._following.is_current

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
            record = read_fact(self._subjects, message)
        except Undecodable:
            return
        match record:
            case RunPaused(run=run, epoch=epoch) if epoch >= self._resumed.get(run, 0):
                self._paused.add(run)
            case RunResumed(run=run, epoch=epoch):
                self._paused.discard(run)
                self._resumed[run] = max(epoch, self._resumed.get(run, 0))
            case RunCancelled(run=run):
                self._paused.discard(run)
                self._cancelled[run] = None
                while len(self._cancelled) > MOST_CANCELLED:
                    self._cancelled.popitem(last=False)
            case _:
                pass
