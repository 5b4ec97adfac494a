"""Whoever posts a name to /hooks/door is a visitor."""

from loopy import Request, sensor
from loopy.events import Visitor


@sensor(webhook="/hooks/door", emits="Visitor")
def rung(req: Request) -> Visitor:
    """A visitor, by name."""
    return Visitor(name=req.json["name"])
