"""Slots: how many runs may be under way at once for a name and key, and whose turn it is. Pure.

A slot's queue holds its runs in the order in which they came; the first `limit` of them hold it. So a run that comes
waits behind all others, and one that goes lets the next one in. What holds it when the limit is lowered keeps it: it
stands at the front, and nobody follows before enough of them have gone.
"""

from datetime import datetime

import msgspec

from loopy.compiler.plan import Plan
from loopy.compiler.templates import RenderError, render
from loopy.runs.records import Event, RunEnded, Slot

MOST_KEY_CHARACTERS = 200
SLOT_QUEUE = "slot_queue"
WORKFLOW_PREFIX = "workflow:"  # no name of an author's has a colon


class UnusableKey(ValueError):
    """A concurrency key that cannot be made of an event; the text says why."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A run in a queue, since its `epoch`; `left` are the slots that it takes once it holds this one.

    `ticket` tells its places apart: one that left and came again has another.
    """

    run: str
    workflow: str
    epoch: int
    ticket: int
    left: tuple[Slot, ...] = ()


class Queue(msgspec.Struct, frozen=True, omit_defaults=True):
    """The runs that hold a slot or wait for it, in the order in which they came."""

    name: str
    key: str
    limit: int
    places: tuple[Place, ...] = ()

    @property
    def holders(self) -> tuple[Place, ...]:
        """Those whose turn it is."""
        return self.places[: self.limit]

    def place_of(self, run: str) -> Place | None:
        """Where a run stands in it, if it does."""
        return next((place for place in self.places if place.run == run), None)


def slots_of(plan: Plan, workflow: str, event: Event) -> tuple[Slot, ...]:
    """What a run must hold, in the order in which it takes them. UnusableKey.

    That of its key comes first, in every run: so none waits for the other's, and those that wait for one key do not
    keep others of their workflow from beginning.
    """
    slots = []
    declared = plan.workflows[workflow].concurrency
    if declared is not None:
        slots.append(Slot(declared.name, _key(declared.key, event), declared.limit))
    most = plan.limits.workflow_concurrency.get(workflow)
    if most is not None:
        slots.append(Slot(WORKFLOW_PREFIX + workflow, "", most))
    return tuple(slots)


def limits_of(plan: Plan) -> dict[str, int]:
    """How many runs may hold a slot at once, by its name; where workflows that share one differ, the fewest."""
    limits = {WORKFLOW_PREFIX + name: most for name, most in plan.limits.workflow_concurrency.items()}
    for workflow in plan.workflows.values():
        if workflow.concurrency is not None:
            name, limit = workflow.concurrency.name, workflow.concurrency.limit
            limits[name] = min(limit, limits.get(name, limit))
    return limits


def entered(queue: Queue, place: Place, capacity: int) -> Queue:
    """The queue with this run in it: at its end, or where it stands already, for as long as its new epoch lasts.

    As it was when the run stands in it in this epoch or a later one, and when it holds `capacity` runs.
    """
    known = queue.place_of(place.run)
    if known is None:
        return msgspec.structs.replace(queue, places=(*queue.places, place)) if len(queue.places) < capacity else queue
    if known.epoch >= place.epoch:
        return queue
    moved = msgspec.structs.replace(place, ticket=known.ticket)
    return msgspec.structs.replace(queue, places=tuple(moved if p is known else p for p in queue.places))


def without(queue: Queue, run: str, epoch: int) -> Queue:
    """The queue without this run, unless it stands in it in a later epoch."""
    kept = tuple(place for place in queue.places if place.run != run or place.epoch > epoch)
    return msgspec.structs.replace(queue, places=kept)


def crowded_out(run: str, workflow: str, queue: Queue, now: datetime) -> RunEnded:
    """The end of a run for which a queue has no room, because a message can hold no more."""
    slot = f"`{queue.name}`" + (f" and key `{queue.key}`" if queue.key else "")
    detail = f"{len(queue.places)} runs hold or wait for {slot}, which is as many as can (slot_queue)"
    return RunEnded(run, workflow, "failed", now, None, detail)


def _key(template: str, event: Event) -> str:
    try:
        key = render(template, event.data, {})
    except RenderError as error:
        raise UnusableKey(f"`concurrency.key` cannot be made of the event: {error}") from None
    if len(key) > MOST_KEY_CHARACTERS:
        raise UnusableKey(f"`concurrency.key` would have {len(key)} characters; it may have {MOST_KEY_CHARACTERS}")
    return key
