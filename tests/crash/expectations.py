"""What must come of everything, by hand: from a delivery's number to events, from an event to runs and their steps."""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Literal

import msgspec

STARTED_BY: dict[str, tuple[str, ...]] = {
    "Order": ("make",),
    "Complaint": ("refund",),
    "Parcel": ("escort", "ship"),
    "Reading": ("note",),
}
AFTER: dict[str, dict[str, tuple[str, ...]]] = {
    "make": {
        "split": (),
        "left": ("split",),
        "right": ("split",),
        "join": ("left", "right"),
        "polish": ("join",),
        "crate": ("polish",),
    },
    "ship": {"pack": ()},
    "escort": {"guard": ()},
    "refund": {"hear": (), "answer": ("hear",)},
    "note": {"jot": ()},
    "sweep": {"clean": ()},
    "tally": {"count": ()},
}


class Fate(msgspec.Struct, frozen=True):
    """What becomes of a step: how it ends, after how many failed attempts."""

    ends: Literal["succeeded", "failed", "skipped", "blocked"]
    failures: int = 0


class Steered(Enum):
    """What somebody does to a run."""

    CANCELLED = "cancelled"
    PAUSED = "paused for a while"
    PAUSED_AND_RETRIED = "paused for a while, and made to go on from an earlier step"
    RETRIED = "made to run again from a step, with other outputs of those before it"
    MENDED = "made to run again once what made it fail is mended"
    AMENDED = "made to run again with another event"


# By the last digit of an order's number, and by the digit before it of a complaint's. A number beyond AMENDED is heard.
OF_ORDERS = {
    3: Steered.CANCELLED,
    4: Steered.PAUSED_AND_RETRIED,
    5: Steered.PAUSED,
    8: Steered.RETRIED,
}
OF_COMPLAINTS = (Steered.MENDED, Steered.AMENDED, Steered.CANCELLED)
AMENDED = 100_000


def sensed(number: int) -> list[tuple[str, dict[str, Any]]]:
    """The events that a delivery of this number makes: types and data."""
    order = ("Order", {"number": number})
    return [order, ("Complaint", {"number": number})] if number % 10 == 7 else [order]


def fate(step: str, data: Mapping[str, Any], epoch: int, edits: Mapping[str, Mapping[str, Any]]) -> Fate:
    """What becomes of a step of a run that an event with these data started.

    In an epoch after the first, what made it fail was mended, or amended by these edits.
    """
    match step:
        case "left":
            return Fate("succeeded", data["number"] % 3)
        case "polish" | "crate":
            fancy = edits.get("split", {}).get("fancy", data["number"] % 2 == 0)
            return Fate("succeeded" if fancy else "skipped")
        case "guard":
            return Fate("succeeded" if data["index"] > 0 else "skipped")
        case "hear" if epoch == 0:
            return Fate("failed", 2)
        case "answer" if epoch == 0:
            return Fate("blocked")
        case _:
            return Fate("succeeded")


def outcome(fates: Iterable[Fate]) -> str:
    """How a run whose steps have these fates ends, or fails."""
    ends = {fate.ends for fate in fates}
    if "failed" in ends:
        return "failed"
    return "skipped" if ends == {"skipped"} else "succeeded"


def emitted(step: str, data: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The events that a step emits, in order."""
    if step != "join":
        return []
    return [("Parcel", {"number": data["number"], "index": index}) for index in range(data["number"] % 3)]


def steered(workflow: str, data: Mapping[str, Any]) -> Steered | None:
    """What somebody does to a run that an event with these data started."""
    match workflow, data["number"]:
        case "make", number:
            return OF_ORDERS.get(number % 10)
        case "refund", number:
            return OF_COMPLAINTS[number // 10 % 3]
        case _:
            return None
