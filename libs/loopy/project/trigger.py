"""`on:`: an event's name, or `cron("0 9 * * *", tz="Europe/Berlin")`."""

import re

from loopy.project.model import Located, OnCron, OnEvent
from loopy.project.names import EVENT_NAME, check_event_name
from loopy.project.shapes import Shapes
from loopy.project.tree import Entry, Items, Pairs, Text

_QUOTED = r"\"([^\"]*)\"|'([^']*)'"
_CRON = re.compile(rf"\s*cron\(\s*(?P<expression>{_QUOTED})\s*(?:,\s*(?:tz\s*=\s*)(?P<zone>{_QUOTED})\s*)?,?\s*\)\s*")
_EXPECTED = 'expected `cron("0 9 * * *")` or `cron("0 9 * * *", tz="Europe/Berlin")`'
_LIKE_CRON = re.compile(r"\s*(cron|(?i:cron)\s*\()")
_WANTED = 'an event, or cron("…")'
_ONE_EVENT = "a workflow has one trigger: write a workflow for each event"
_SCHEDULE = 'a schedule is written `on: cron("0 9 * * *")`'
_FIVE_FIELDS = re.compile(r"\s*[-*/0-9,A-Za-z?#]+(?:\s+[-*/0-9,A-Za-z?#]+){4,5}\s*")


def read_trigger(shapes: Shapes, entry: Entry) -> OnEvent | OnCron | None:
    """The trigger that is written, or None after it has been reported."""
    if isinstance(entry.value, Items | Pairs):
        shapes.wrong(entry, _WANTED, hint=_ONE_EVENT if isinstance(entry.value, Items) else _SCHEDULE)
        return None
    word = shapes.word(entry, _WANTED)
    if word is None or not isinstance(entry.value, Text):
        return None
    if _LIKE_CRON.match(word.value):
        return (
            _cron(shapes, entry.value)
            if not EVENT_NAME.fullmatch(word.value) or word.value == "cron"
            else OnEvent(word)
        )
    if _FIVE_FIELDS.fullmatch(word.value):
        hint = f'did you mean `on: cron("{word.value.strip()}")`?'
        shapes.report(
            "LP116", "a schedule is written with `cron(…)`", word.span, "expected an event or `cron(…)`", hint=hint
        )
        return None
    return OnEvent(word) if check_event_name(shapes, word, "LP116") else None


def _cron(shapes: Shapes, text: Text) -> OnCron | None:
    found = _CRON.fullmatch(text.text)
    if found is None:
        shapes.report("LP116", f"`{text.text}` is not a schedule", text.span, _EXPECTED, hint=_hint(text.text))
        return None
    expression, zone = _inner(text, found, "expression"), _inner(text, found, "zone")
    assert expression is not None
    return OnCron(expression, zone, text.span)


def _inner(text: Text, found: re.Match[str], group: str) -> Located[str] | None:
    """What stands between the quotes of a group, and where."""
    if found[group] is None:
        return None
    start, end = found.span(group)
    return Located(text.text[start + 1 : end - 1], text.part(start + 1, end - start - 2))


def _hint(text: str) -> str:
    if not re.match(r"\s*cron(\(|\s*$)", text):
        return "write `cron(`, in lower case and without a blank before the bracket"
    if re.fullmatch(r"\s*cron(\(\s*\))?\s*", text):
        return "say when, in five fields: minute hour day month weekday"
    if not re.search(r"[\"']", text):
        return "put the expression into quotes"
    if unknown := re.search(r",\s*(timezone|zone|time_zone)\s*=", text):
        return f"did you mean `tz=`, not `{unknown[1]}=`?"
    return ""
