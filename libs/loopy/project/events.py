"""`events:` of the registry, in both spellings: `{ fields: { title: str } }` and `{ title: str }`."""

from loopy.project.fields import fields_of
from loopy.project.model import EventDecl, Located
from loopy.project.names import check_event_name
from loopy.project.shapes import Shapes
from loopy.project.tree import Entry, Pairs


def read_events(shapes: Shapes, entry: Entry) -> tuple[EventDecl, ...]:
    """Every event that is registered."""
    pairs = shapes.pairs(entry, "a map of events and their fields")
    return tuple(_event(shapes, event) for event in (pairs.entries if pairs else ()))


def _event(shapes: Shapes, entry: Entry) -> EventDecl:
    """One event. One whose name or fields are wrong stands all the same, so that its uses are not reported too."""
    name = Located(entry.key.text, entry.key.span)
    check_event_name(shapes, name)
    fields = shapes.pairs(entry, "a map of fields and their types")
    inner = fields_of(shapes, _long_form(fields)) if fields else ()
    return EventDecl(name, inner)


def _long_form(pairs: Pairs) -> Pairs:
    """The map under `fields`, where that is the only key and holds a map; else the map itself."""
    if len(pairs.entries) == 1 and pairs.entries[0].key.text == "fields":
        inner = pairs.entries[0].value
        return inner if isinstance(inner, Pairs) else pairs
    return pairs
