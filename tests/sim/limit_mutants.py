"""The engine with one thing wrong with how it limits what runs may do."""

import itertools
from typing import Any

import msgspec

from loopy.bus.messages import Outgoing
from loopy.bus.spending import entry_message
from loopy.runs import route
from loopy_services.dispatcher import spending as dispatcher_spending
from loopy_services.dispatcher.slots import Slots
from tests.sim import invariants, limits
from tests.sim.mutant import Mutant

_numbers = itertools.count()


def _entered_anew(*arguments: Any) -> Outgoing:
    entry = entry_message(*arguments)
    tokens = entry.subject.split(".")
    tokens[-5] = f"day-{next(_numbers)}"
    return msgspec.structs.replace(entry, subject=".".join(tokens))


async def _never(*_: object) -> bool:
    return False


async def _nothing(*_: object) -> None:
    return None


LIMIT_MUTANTS = (
    Mutant(
        "a slot has one holder more than it may have",
        limits.no_more_are_under_way_than_a_slot_allows,
        ((Slots, "_limit", lambda _, slot: slot.limit + 1),),
        likely=(1,),
    ),
    Mutant(
        "a run does not ask for slots",
        limits.runs_wait_for_their_slots,
        ((route, "slots_of", lambda *_: ()),),
    ),
    Mutant(
        "nobody gives a slot back",
        invariants.every_run_comes_to_an_end,
        ((Slots, "leave", _nothing),),
        likely=(1,),
    ),
    Mutant(
        "a run that is over is let in",
        invariants.every_run_comes_to_an_end,
        ((Slots, "_is_over", _never),),
        likely=(4,),
    ),
    Mutant(
        "what an attempt cost is counted anew each time",
        limits.what_was_spent_is_counted_once,
        ((dispatcher_spending, "entry_message", _entered_anew),),
    ),
    Mutant(
        "limits of spend are not looked at",
        limits.nothing_begins_beyond_a_limit_of_spend,
        ((dispatcher_spending, "excess", lambda *_: None),),
        likely=(16,),
    ),
)
