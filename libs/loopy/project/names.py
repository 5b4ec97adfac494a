"""The names that authors give, and why one cannot be used: they become tokens of subjects and words of templates."""

import re

from loopy.project.model import Word
from loopy.project.shapes import Shapes

MAX_LENGTH = 64
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
EVENT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*")

# The types that the bus gives to firings.
_RESERVED_EVENTS = ("cron",)


def name_problem(name: str) -> str | None:
    """Why a workflow or step cannot have this name, or None when it can."""
    if not NAME.fullmatch(name):
        return "a name is letters, digits, `_` and `-`, and begins with a letter or digit"
    return f"a name has at most {MAX_LENGTH} characters" if len(name) > MAX_LENGTH else None


def check_name(shapes: Shapes, word: Word, what: str, code: str = "LP206") -> bool:
    """Report a name that cannot be used; `what` is what bears it: `an agent`."""
    if NAME.fullmatch(word.value) and len(word.value) <= MAX_LENGTH:
        return True
    hint = f"letters, digits, `_` and `-`, at most {MAX_LENGTH}"
    shapes.report(code, f"{what} cannot be called `{word.value}`", word.span, "not a name", hint=hint)
    return False


def check_event_name(shapes: Shapes, word: Word, code: str = "LP206") -> bool:
    """Report an event's name that cannot be a part of a subject, or that the bus uses itself."""
    if not EVENT_NAME.fullmatch(word.value) or len(word.value) > MAX_LENGTH:
        hint = "an event is called like `Incident` or `Billing.InvoicePaid`"
        shapes.report(code, f"an event cannot be called `{word.value}`", word.span, "not an event's name", hint=hint)
        return False
    if word.value in _RESERVED_EVENTS:
        shapes.report(code, f"the name `{word.value}` is reserved", word.span, "reserved", hint="choose another name")
        return False
    return True
