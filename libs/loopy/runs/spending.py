"""What runs may spend, and what they have spent. Pure.

Amounts are summed as whole billionths of a dollar: a sum then is the same in whatever order its parts came.
"""

import math
from datetime import UTC, datetime

import msgspec

from loopy.compiler.plan import Limits

BILLION = 1_000_000_000
CASCADE_SPEND = "cascade_spend"
WORKFLOW_SPEND = "workflow_spend"
DAY_SPEND = "day_spend"


class Spent(msgspec.Struct, frozen=True):
    """What was spent so far, in billionths of a dollar: in a cascade, in one run of it, and on a day."""

    cascade: int
    run: int
    day: int
    date: str


class Excess(msgspec.Struct, frozen=True):
    """A limit that is reached: its name, its US dollars, and a sentence that tells both and what was spent."""

    limit: str
    amount: float
    detail: str


def billionths(usd: float) -> int:
    """US dollars as a whole number; what is no amount to spend counts as nothing."""
    return round(usd * BILLION) if math.isfinite(usd) and usd > 0 else 0


def day_of(instant: datetime) -> str:
    """The day that spend counts toward, in UTC: `2026-11-25`."""
    return instant.astimezone(UTC).date().isoformat()


def limits_spend(limits: Limits) -> bool:
    """Whether anything that counts beyond one step limits what is spent."""
    return limits.cascade_usd is not None or limits.day_usd is not None or bool(limits.workflow_usd)


def excess(limits: Limits, workflow: str, spent: Spent) -> Excess | None:
    """The first limit that is reached, so that no attempt of this run may begin; None when it may."""
    for limit, whose, amount, so_far in _each(limits, workflow, spent):
        if so_far >= billionths(amount):
            return Excess(limit, amount, f"{whose[0]} has spent {so_far / BILLION:.10g} of {amount:g} USD ({whose[1]})")
    return None


def left(limits: Limits, workflow: str, spent: Spent, budget_usd: float | None) -> float | None:
    """The most that an attempt may spend, in US dollars: the least that is left of any limit, or of its step's budget.

    None when nothing limits it.
    """
    remaining = [
        max(0, billionths(amount) - so_far) / BILLION for _, _, amount, so_far in _each(limits, workflow, spent)
    ]
    if budget_usd is not None:
        remaining.append(budget_usd)
    return min(remaining, default=None)


def _each(limits: Limits, workflow: str, spent: Spent) -> list[tuple[str, tuple[str, str], float, int]]:
    """Each limit that there is: its name, whose it is and where it is written, its amount, what was spent of it."""
    run_usd = limits.workflow_usd.get(workflow)
    known = (
        (CASCADE_SPEND, ("the cascade", "limits.cascade.spend"), limits.cascade_usd, spent.cascade),
        (WORKFLOW_SPEND, ("the run", f"limits.workflows.{workflow}.spend"), run_usd, spent.run),
        (DAY_SPEND, (f"{spent.date} (UTC)", "limits.day.spend"), limits.day_usd, spent.day),
    )
    return [(limit, whose, amount, so_far) for limit, whose, amount, so_far in known if amount is not None]
