"""Sensors turn what happens outside into events. `loopy run` hosts them; each delivery is stored before one runs."""

from loopy import Request, sensor
from loopy.events import Question


@sensor(webhook="/hooks/question", emits="Question")
def asked(req: Request) -> Question | None:
    """A question that was posted as JSON; what is no question gives no event."""
    if "text" not in req.json:
        return None
    return Question(text=req.json["text"], asked_by=req.json.get("from", "somebody"))
