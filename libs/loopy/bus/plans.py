"""Plans on the bus: a run goes on by the plan that it began with, whatever was deployed since."""

from collections import OrderedDict
from collections.abc import Callable

from loopy.bus.client import Bus
from loopy.bus.codec import plan_message, read_plan
from loopy.bus.places import publish_in_place
from loopy.bus.streams import PLANS
from loopy.bus.undecodable import Undecodable
from loopy.compiler.plan import Plan, plan_hash

KEPT_PLANS = 32


class PlanStore:
    """The plans that a service needs, by hash: its `own`, and others, the least recently used forgotten."""

    def __init__(self, bus: Bus, own: Plan) -> None:
        self._bus = bus
        self.own = own
        self.own_hash = plan_hash(own)
        self._others: OrderedDict[str, Plan] = OrderedDict()

    async def store(self) -> None:
        """Put the service's own plan on the bus, where the others find it. BusError when the bus refuses it."""
        await publish_in_place(self._bus, PLANS, plan_message(self._bus.subjects, self.own), read_plan)

    async def store_as_newest(self) -> None:
        """Put it there as the newest, also when it was stored long ago and another since. BusError."""
        message, every = plan_message(self._bus.subjects, self.own), self._bus.subjects.plan("*")
        while True:
            newest = await self._bus.last(PLANS, every)
            if newest is not None and newest.subject == message.subject and newest.payload == message.payload:
                return
            await self._bus.publish_after(message, scope=every, sequence=newest.sequence if newest else 0)

    async def prepare(self, plan: Plan) -> Callable[[], None]:
        """What makes this the store of a service that works by this plan, called once that is decided."""
        name = plan_hash(plan)

        def take() -> None:
            self._others[self.own_hash] = self.own
            self.own, self.own_hash = plan, name

        return take

    async def newest(self) -> Plan | None:
        """The plan that was stored last, when it is another than the service's own and can be read."""
        message = await self._bus.last(PLANS, self._bus.subjects.plan("*"))
        newest = self.own_hash if message is None else message.subject.rpartition(".")[2]
        try:
            return await self.get(newest) if newest != self.own_hash else None
        except Undecodable:
            return None

    async def get(self, plan: str) -> Plan | None:
        """The plan of this hash, or None when nobody has stored it."""
        if plan == self.own_hash:
            return self.own
        if plan not in self._others:
            message = await self._bus.last(PLANS, self._bus.subjects.plan(plan))
            if message is None:
                return None
            self._others[plan] = read_plan(message)
        self._others.move_to_end(plan)
        while len(self._others) > KEPT_PLANS:
            self._others.popitem(last=False)
        return self._others[plan]
