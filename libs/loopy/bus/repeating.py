"""An event of before, published as a new one, so that its workflows run again."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message, read_event
from loopy.bus.facts import readable_facts
from loopy.bus.streams import EVENTS, RUNS
from loopy.compiler.plan import Plan
from loopy.runs.records import Event, EventRouted
from loopy.runs.route import CRON
from loopy.types.check import checker_of

FIRING = "a schedule started it; it cannot be replayed"


async def find_event(bus: Bus, types: Iterable[str], identity: str) -> Event | None:
    """The event of this id, of one of these types; None when there is none. Undecodable."""
    subjects = [bus.subjects.event(event_type, identity) for event_type in types]
    found = await bus.last_each(EVENTS, subjects) if identity and subjects else []
    return read_event(bus.subjects, found[-1]) if found else None


async def is_firing(bus: Bus, identity: str) -> bool:
    """Whether it is a schedule's firing that has this id: it started its run, but is no event that is stored."""
    found = await bus.last(RUNS, bus.subjects.routed(identity, identity)) if identity else None
    facts = readable_facts(bus.subjects, [found] if found is not None else [])
    return any(isinstance(fact, EventRouted) and fact.type == CRON for fact in facts)


class Repeat(msgspec.Struct, frozen=True):
    """What is said of a repetition: the new event's id and source, when it is, who has it so, and why (or empty)."""

    identity: str
    source: str
    at: datetime
    by: str
    why: str = ""


def repeated(plan: Plan, old: Event, repeat: Repeat) -> Event:
    """A new event with the data of an old one, checked against the types of today. Mismatch; KeyError."""
    data = checker_of(plan.events[old.type]).check(old.data)
    return Event(
        repeat.identity, old.type, repeat.source, repeat.at, data,
        cascade=repeat.identity, replay_of=old.id, replayed_by=repeat.by, replayed_why=repeat.why or None,
    )  # fmt: skip


async def publish_event(bus: Bus, event: Event) -> None:
    """Publish an event, unless one of its id is there."""
    await bus.publish_once(event_message(bus.subjects, event))
