"""What must come of everything, by hand: from a delivery's number to events, from an event to runs and their steps."""

from collections.abc import Mapping
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


def sensed(number: int) -> list[tuple[str, dict[str, Any]]]:
    """The events that a delivery of this number makes: types and data."""
    order = ("Order", {"number": number})
    return [order, ("Complaint", {"number": number})] if number % 10 == 7 else [order]


def fate(step: str, data: Mapping[str, Any]) -> Fate:
    """What becomes of a step of a run that an event with these data started."""
    match step:
        case "left":
            return Fate("succeeded", data["number"] % 3)
        case "polish" | "crate":
            return Fate("succeeded" if data["number"] % 2 == 0 else "skipped")
        case "guard":
            return Fate("succeeded" if data["index"] > 0 else "skipped")
        case "hear":
            return Fate("failed", 2)
        case "answer":
            return Fate("blocked")
        case _:
            return Fate("succeeded")


def outcome(workflow: str, data: Mapping[str, Any]) -> str:
    """How a run ends."""
    ends = {fate(step, data).ends for step in AFTER[workflow]}
    if "failed" in ends:
        return "failed"
    return "skipped" if ends == {"skipped"} else "succeeded"


def emitted(step: str, data: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The events that a step emits, in order."""
    if step != "join":
        return []
    return [("Parcel", {"number": data["number"], "index": index}) for index in range(data["number"] % 3)]
