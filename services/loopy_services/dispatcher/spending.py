"""Whether an attempt may begin, by what was spent: in its cascade, in its run and on the day.

What a result cost is in the ledger before anything follows from it, and is counted before it is decided whether the
next attempt may begin: so a limit is passed by no more than what attempts under way still spend. The limits are those
of the plan that this service was started with, so that one that was raised lets a failed run be resumed.
"""

from collections import OrderedDict

from loopy.bus.client import Bus
from loopy.bus.messages import Message
from loopy.bus.spending import Ledger, entry_message
from loopy.compiler.plan import Plan
from loopy.runs.records import AttemptFailed, AttemptRequested, AttemptSucceeded
from loopy.runs.spending import Spent, billionths, limits_spend

MOST_OWN = 10_000


class Spending:
    """Enters what attempts cost into the ledger, and tells what was spent where a limit depends on it."""

    def __init__(self, bus: Bus, plan: Plan) -> None:
        self._bus = bus
        self._ledger = Ledger(bus) if limits_spend(plan.limits) else None
        self._own: OrderedDict[str, int] = OrderedDict()
        self._newest = 0

    async def load(self) -> None:
        """Learn what was spent before."""
        if self._ledger is not None:
            await self._ledger.load()

    async def follow(self) -> None:
        """Learn what is spent from now on, by others too; returns only when cancelled, or when nothing limits it."""
        if self._ledger is not None:
            await self._ledger.follow()

    async def enter(self, result: AttemptSucceeded | AttemptFailed, message: Message, cascade: str) -> None:
        """Enter what an attempt cost; done again it counts once."""
        if not billionths(result.usage.spend_usd):
            return
        stored = await self._bus.publish_once(entry_message(self._bus, result, cascade, message.time))
        self._newest = max(self._newest, stored.sequence)
        if self._ledger is not None:
            self._own[cascade] = max(stored.sequence, self._own.get(cascade, 0))
            self._own.move_to_end(cascade)
            while len(self._own) > MOST_OWN:
                self._own.popitem(last=False)

    async def spent(self, attempt: AttemptRequested) -> Spent | None:
        """What was spent by now, as far as it matters to this attempt; None when nothing limits it."""
        if self._ledger is None:
            return None
        cascade = attempt.event.cascade
        await self._ledger.reach(self._newest)
        return await self._ledger.spent(cascade, attempt.run, attempt.at, self._own.get(cascade, 0))
