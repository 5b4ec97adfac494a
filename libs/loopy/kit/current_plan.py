"""The plan by which the services of a process work now, and how all of them take a new one at once.

A new plan is taken in two steps. First each service prepares for it: it reads, imports, opens what the plan needs, and
may refuse. Only when none has refused do all of them take it, without anything in between. So a plan is served as a
whole or not at all, and whoever calls `switch` (an edit under `loopy run`) learns which.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from loopy.compiler.plan import Plan, plan_hash

Take: TypeAlias = Callable[[], None]
Prepare: TypeAlias = Callable[[Plan], Awaitable[Take]]


class CurrentPlan:
    """One for each process. Runs under way go on by the plan that they began with, whatever is current."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._hash = plan_hash(plan)
        self._prepares: list[Prepare] = []
        self._turn = asyncio.Lock()

    @property
    def plan(self) -> Plan:
        """The plan that new runs are started by."""
        return self._plan

    @property
    def hash(self) -> str:
        """Its name."""
        return self._hash

    def prepared_by(self, prepare: Prepare) -> None:
        """Have `prepare` be called with each new plan, after those that were named before.

        It changes nothing that is served yet, and raises CannotStart when the plan cannot be served. What it gives back
        takes the plan: it is called when every other one is prepared, does not wait and does not fail.
        """
        self._prepares.append(prepare)

    async def switch(self, plan: Plan) -> None:
        """Serve new runs by this plan. CannotStart or BusError when it cannot be; then nothing has changed."""
        async with self._turn:
            if (name := plan_hash(plan)) == self._hash:
                return
            takes = [await prepare(plan) for prepare in self._prepares]
            for take in takes:
                take()
            self._plan, self._hash = plan, name
