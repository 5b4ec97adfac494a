"""The classes of a project's events, and their stubs."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from loopy import events
from loopy.project.stubs import event_stubs
from loopy.types.parse import TypeSpec, TypeSyntaxError

REGISTERED: dict[str, dict[str, TypeSpec]] = {
    "Incident": {"title": "str", "source": "enum[sentry, linear]", "at": "datetime?"},
    "Billing.InvoicePaid": {"from": "id"},
}


@pytest.fixture(autouse=True)
def _unbound() -> Iterator[None]:
    events.bind({})
    yield
    events.bind({})


def bound(name: str) -> Any:
    events.bind(REGISTERED)
    return getattr(events, name)


def test_an_event_is_made_of_its_fields() -> None:
    made = bound("Incident")(title="a", source="sentry", at=datetime(2026, 1, 1, tzinfo=UTC))
    assert isinstance(made, events.TypedEvent)
    assert made.event_type == "Incident"
    assert made.event_data == {"title": "a", "source": "sentry", "at": "2026-01-01T00:00:00Z"}
    assert made.title == "a"
    assert repr(made) == "Incident(title='a', source='sentry', at='2026-01-01T00:00:00Z')"


def test_events_are_equal_by_type_and_fields() -> None:
    incident = bound("Incident")
    one, two = (incident(title="a", source="sentry") for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert one != incident(title="b", source="sentry")
    assert one != "Incident"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"title": "a", "source": "sentry", "titel": "b"}, "Incident: titel: unknown field, did you mean `title`?"),
        ({"title": "a"}, "Incident: source: missing"),
        (
            {"title": 5, "source": "jira"},
            "Incident: title: expected str, got int; source: expected one of sentry, linear",
        ),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, object], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        bound("Incident")(**fields)
    assert message in str(caught.value)


def test_fields_are_given_by_name() -> None:
    with pytest.raises(TypeError, match=r"by name: Incident\(title=…, source=…, at=…\)"):
        bound("Incident")("a")


def test_a_field_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Incident has no field 'link'"):
        _ = bound("Incident")(title="a", source="sentry").link


def test_an_event_with_dots_has_a_class_without() -> None:
    assert bound("Billing_InvoicePaid")(**{"from": "x"}).event_type == "Billing.InvoicePaid"


def test_what_cannot_be_imported_says_why() -> None:
    with pytest.raises(ImportError, match=r"no 'Incident' yet: .* call `loopy\.events\.bind"):
        exec("from loopy.events import Incident")
    events.bind(REGISTERED)
    with pytest.raises(ImportError, match="no event 'Incidnt': did you mean `Incident`"):
        exec("from loopy.events import Incidnt")


def test_a_type_that_cannot_be_read_binds_nothing() -> None:
    events.bind(REGISTERED)
    with pytest.raises(TypeSyntaxError):
        events.bind({"Incident": {"title": "strin"}})
    assert bound("Incident").event_type == "Incident"


def test_stubs_are_python_and_say_what_each_event_takes() -> None:
    fields: dict[str, dict[str, TypeSpec]] = {
        **REGISTERED,
        "All": {
            "n": "int?",
            "l": "list[url]",
            "m": "map[float]",
            "j": "json",
            "r": {"x": "str"},
            "s": {"type": "string"},
        },
    }
    text = event_stubs(fields)
    ast.parse(text)
    assert (
        "def __init__(self, *, title: str, source: Literal['sentry', 'linear'], at: datetime | str | None = ...)"
        in text
    )
    assert "    at: str | None\n" in text
    assert "class Billing_InvoicePaid(TypedEvent):" in text
    assert "n: int | None = ..., l: Sequence[str], m: Mapping[str, float], j: Any, r: Mapping[str, Any], s: str" in text


def test_stubs_do_not_depend_on_the_order_of_the_registry() -> None:
    assert event_stubs(REGISTERED) == event_stubs(dict(reversed(REGISTERED.items())))
