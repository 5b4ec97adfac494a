"""Fields given on the command line, read by their declared types."""

import pytest

from loopy.cli.exits import CommandError
from loopy.cli.values import event_data
from loopy.compiler.plan import Fields, Plan

DEPLOYED: Fields = {
    "title": "str",
    "count": "int",
    "ratio": "float?",
    "urgent": "bool?",
    "tags": "list[str]?",
    "stage": "enum[test, live]?",
    "link": "url?",
    "author": {"name": "str"},
}
PLAN = Plan(events={"Deployed": DEPLOYED, "Ping": {}})
LEAST = [("title", "t"), ("count", "1"), ("author", '{"name": "Ada"}')]


def refused(event: str, *fields: tuple[str, str]) -> CommandError:
    with pytest.raises(CommandError) as caught:
        event_data(PLAN, event, {}, fields)
    assert caught.value.code == 2
    return caught.value


def test_text_is_taken_as_it_is_and_all_else_as_json() -> None:
    fields = [*LEAST, ("tags", '["a", "b"]'), ("urgent", "true"), ("ratio", "0.5"), ("stage", "live")]
    assert event_data(PLAN, "Deployed", {}, fields) == {
        "title": "t",
        "count": 1,
        "author": {"name": "Ada"},
        "tags": ["a", "b"],
        "urgent": True,
        "ratio": 0.5,
        "stage": "live",
        "link": None,
    }


def test_a_number_written_for_a_text_stays_a_text() -> None:
    assert event_data(PLAN, "Deployed", {}, [*LEAST, ("title", "42")])["title"] == "42"


def test_a_field_on_the_command_line_comes_before_the_files() -> None:
    assert event_data(PLAN, "Deployed", {"title": "file"}, LEAST)["title"] == "t"


def test_an_event_without_fields_needs_none() -> None:
    assert event_data(PLAN, "Ping", {}, []) == {}


def test_an_unknown_event_gets_a_suggestion() -> None:
    assert refused("Deploid").hint == "did you mean `Deployed`?"
    assert refused("Nothing").hint == "the project declares Deployed, Ping"


def test_an_unknown_field_gets_a_suggestion() -> None:
    error = refused("Deployed", ("titel", "x"))
    assert (error.message, error.hint) == ("Deployed has no field `titel`", "did you mean `title`?")


@pytest.mark.parametrize(
    ("name", "value"),
    [("count", "many"), ("count", "1.5"), ("urgent", "yes"), ("stage", "prod"), ("link", "nowhere"), ("tags", "a,b")],
)
def test_a_value_of_the_wrong_type_is_refused_with_its_field_named(name: str, value: str) -> None:
    assert f"\n{name}: " in refused("Deployed", *LEAST, (name, value)).message


def test_every_wrong_field_is_named_at_once() -> None:
    message = refused("Deployed", ("count", "x")).message
    assert all(f"\n{name}: " in message for name in ("title", "count", "author"))


def test_half_a_surrogate_is_refused() -> None:
    assert "title" in refused("Deployed", *LEAST, ("title", "\udcff")).message
