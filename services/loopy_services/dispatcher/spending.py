"""Whether an attempt may begin, by what was spent: in its cascade, in its run and on the day.

What a result cost is in the ledger before anything follows from it, and is counted before it is decided whether the
next attempt may begin: so a limit is passed by no more than what attempts under way still spend. The limits are those
of the service's own plan at the time, so that one that was raised lets a failed run be resumed.
"""

from collections import OrderedDict
from functools import partial

from loopy.bus.client import Bus
from loopy.bus.messages import Message
from loopy.bus.places import publish_in_place
from loopy.bus.plans import PlanStore
from loopy.bus.spending import Ledger, entry_message, read_entry
from loopy.bus.streams import SPENDING
from loopy.runs.records import AttemptFailed, AttemptRequested, AttemptSucceeded
from loopy.runs.spending import Excess, billionths, excess, left, limits_spend

MOST_OWN = 10_000


class Spending:
    """Enters what attempts cost into the ledger, and tells what was spent where a limit depends on it."""

    def __init__(self, bus: Bus, plans: PlanStore) -> None:
        self._bus = bus
        self._plans = plans
        self._ledger = Ledger(bus)
        self._own: OrderedDict[str, int] = OrderedDict()
        self._newest = 0

    async def load(self) -> None:
        """Learn what was spent before."""
        await self._ledger.load()

    async def follow(self) -> None:
        """Learn what is spent from now on, by others too; returns only when cancelled."""
        await self._ledger.follow()

    async def enter(self, result: AttemptSucceeded | AttemptFailed, message: Message, cascade: str) -> None:
        """Enter what an attempt cost; done again it counts once."""
        if not billionths(result.usage.spend_usd):
            return
        entry = entry_message(self._bus, result, cascade, message.time)
        stored = await publish_in_place(self._bus, SPENDING, entry, partial(read_entry, self._bus))
        self._newest = max(self._newest, stored.sequence)
        self._own[cascade] = max(stored.sequence, self._own.get(cascade, 0))
        self._own.move_to_end(cascade)
        while len(self._own) > MOST_OWN:
            self._own.popitem(last=False)

    async def allowance(self, attempt: AttemptRequested) -> float | Excess | None:
        """The most that an attempt may spend (None: no cap); or the limit that keeps it from beginning."""
        limits, cascade = self._plans.own.limits, attempt.event.cascade
        if not limits_spend(limits):
            return attempt.spend_usd
        await self._ledger.reach(self._newest)
        spent = await self._ledger.spent(cascade, attempt.run, attempt.at, self._own.get(cascade, 0))
        reached = excess(limits, attempt.workflow, spent)
        return left(limits, attempt.workflow, spent, attempt.spend_usd) if reached is None else reached
