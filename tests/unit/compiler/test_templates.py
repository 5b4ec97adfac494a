"""Rendering prose: what values look like in a prompt, and what prose can never reach."""

import pytest

from loopy.compiler.templates import MAX_OUTPUT, RenderError, render


def test_values_are_printed_as_data() -> None:
    prose = "{{ event.text }} {{ event.n }} {{ event.yes }} {{ event.items }} {{ event.record }} {{ event.nothing }}"
    event = {"text": "é", "n": 3, "yes": True, "items": ["a", 1], "record": {"k": "ü"}, "nothing": None}
    assert render(prose, event, {}) == 'é 3 true ["a", 1] {"k": "ü"} none'


def test_a_value_that_holds_a_template_stays_text() -> None:
    assert render("{{ event.t }}", {"t": "{{ event.secret }}{% for %}"}, {}) == "{{ event.secret }}{% for %}"


def test_steps_with_hyphens_are_read_as_they_are_written() -> None:
    prose = "{{ scan-deps.report }} {% if scan-deps.ok %}ok{% endif %} {% raw %}{{ scan-deps.report }}{% endraw %} a-b"
    values = {"scan-deps": {"report": "r", "ok": True}}
    assert render(prose, {}, values) == "r ok {{ scan-deps.report }} a-b"


def test_a_skipped_step_and_an_absent_field_are_null() -> None:
    assert render("{{ fix.pr }} {{ event.note }} {{ fix.a.b }}", {}, {"fix": None}) == "none none none"
    assert render('{{ fix.pr | default("-") }}{% if fix.pr %}x{% endif %}', {}, {"fix": None}) == "-"


def test_fields_named_like_methods_are_fields() -> None:
    assert render("{{ event.items }} {{ event.keys }}", {"items": "i", "keys": "k"}, {}) == "i k"


@pytest.mark.parametrize(
    "prose",
    [
        "{{ event.__class__ }}",
        "{{ event['__class__'] }}",
        "{{ event.text.__class__ }}",
        "{{ event.list.append }}",
        "{{ event.text.format }}",
        "{% for x in event.list %}{{ loop.__class__ }}{% endfor %}",
    ],
)
def test_no_attribute_of_a_python_object_can_be_reached(prose: str) -> None:
    try:
        shown = render(prose, {"text": "t", "list": [1]}, {})
    except RenderError:
        return
    assert shown == "none"


def test_an_unknown_name_is_refused_by_its_name() -> None:
    with pytest.raises(RenderError, match="scan-deps"):
        render("{{ scan-deps.report }}", {}, {})


@pytest.mark.parametrize(
    "prose", ["{{ event.a", "{% if %}", "{{ range(10) }}", "{{ event.a | pprint }}", "{% extends 'x' %}"]
)
def test_what_no_compiler_passed_is_refused(prose: str) -> None:
    with pytest.raises(RenderError):
        render(prose, {"a": 1}, {})


@pytest.mark.parametrize(
    "prose",
    [
        "{% for a in event.many %}{% for b in event.many %}{{ event.text }}{% endfor %}{% endfor %}",
        "{{ event.text | replace('x', event.text) }}",
        "{{ event.text | indent(100000000) }}",
        "{{ event.many | join(event.text) }}",
    ],
)
def test_a_prompt_has_a_bound_whatever_values_do(prose: str) -> None:
    with pytest.raises(RenderError, match=str(MAX_OUTPUT)):
        render(prose, {"many": list(range(4000)), "text": "x" * 4000}, {})


def test_filters_do_what_they_say() -> None:
    event = {"t": " a b ", "l": ["x", {"k": 1}], "n": 2.345, "s": "<a>"}
    assert render("{{ event.t | trim | title }}|{{ event.l | join(', ') }}", event, {}) == 'A B|x, {"k": 1}'
    assert render("{{ event.n | round(1) }} {{ event.l | length }} {{ event.s | tojson }}", event, {}) == '2.3 2 "<a>"'
    assert (
        render("{{ event.s | replace('a', 'b') | upper }} {{ 'abcdefghijklm' | truncate(5, true) }}", event, {})
        == "<B> ab..."
    )


def test_the_end_of_the_prose_is_kept() -> None:
    assert render("a\n\n", {}, {}) == "a\n\n"
