"""No input makes the compiler raise, every span lies in its file, and what compiles renders."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from loopy.compiler.compile import Compiled, compile_project
from loopy.compiler.cron import expression_problem, next_firing
from loopy.compiler.expressions import ExpressionError, evaluate
from loopy.compiler.graph import Graph
from loopy.compiler.templates import RenderError, render

REGISTRY = b"agents:\n  A: {}\nevents:\n  E: { t: str, n: int, l: list[str], o: str?, b: bool }\n"
WORDS = [
    "{{", "}}", "{%", "%}", "{#", "#}", " ", "\n", "\r\n", "event", ".", "t", "n", "l", "o", "b", "|", "upper", "if",
    "endif", "for", "x", "in", "endfor", "else", "default", "(", ")", "'", '"', "a-b", "-", "raw", "endraw", "==", "3",
    "é", "日", "\t", "is", "defined", "not", "and", "join", ",", "[", "]", "set", "=", "loop", "index",
]  # fmt: skip
SOUP = st.lists(st.sampled_from(WORDS), max_size=30).map("".join)
EVENT: dict[str, Any] = {"t": "T", "n": 1, "l": ["a"], "o": None, "b": True}


def compiled(prose: str, when: str | None = None) -> Compiled:
    """A project of two steps, the second with this prose and condition."""
    head = f"---\nafter: a-b\nagent: A\n{'' if when is None else f'when: {when}' + chr(10)}---\n"
    return compile_project(
        {
            "registry.yml": REGISTRY,
            "workflows/w/a-b.md": b"---\non: E\nagent: A\noutput: { t: str, o: str? }\n---\nGo.\n",
            "workflows/w/z.md": f"{head}{prose}".encode(),
        }
    )


def assert_sound(outcome: Compiled) -> None:
    """No bug of ours, and every span within its file's lines."""
    for diagnostic in outcome.diagnostics:
        assert diagnostic.code != "LP901", diagnostic
        span = diagnostic.span
        lines = re.split("\r\n|\r|\n", outcome.sources[span.path])
        assert 1 <= span.line <= len(lines)
        assert 1 <= span.column <= len(lines[span.line - 1]) + 1, diagnostic
        assert (span.end_line, span.end_column) >= (span.line, span.column)


@given(SOUP)
def test_any_prose_compiles_or_is_told_what_is_wrong(prose: str) -> None:
    assert_sound(compiled(f"Do. {prose}"))


@given(SOUP)
def test_prose_that_compiles_renders(prose: str) -> None:
    outcome = compiled(f"Do. {prose}")
    if outcome.plan is not None:
        step = outcome.plan.workflows["w"].step("z")
        render(step.prose, EVENT, {"a-b": {"t": "x", "o": None}})
        render(step.prose, EVENT, {"a-b": {"t": "x"}})


@given(st.text(max_size=80))
def test_any_text_renders_or_is_refused(prose: str) -> None:
    try:
        render(prose, EVENT, {})
    except RenderError:
        return


@given(SOUP)
def test_a_condition_that_compiles_can_be_evaluated(soup: str) -> None:
    when = " ".join(soup.split())
    outcome = compiled("Do.", when)
    assert_sound(outcome)
    if outcome.plan is not None:
        condition = outcome.plan.workflows["w"].step("z").when
        assert condition is not None
        evaluate(condition, EVENT, {"a-b": None})
        evaluate(condition, EVENT, {"a-b": {"t": "x"}})


@given(st.text(max_size=60))
def test_any_text_evaluates_or_is_refused(when: str) -> None:
    try:
        assert evaluate(when, EVENT, {}) in (True, False)
    except ExpressionError:
        return


@given(st.text(alphabet="0123456789*/-,@LHWmonfri? ", max_size=24), st.sampled_from(["UTC", "Europe/Berlin"]))
def test_an_expression_without_a_problem_fires(expression: str, zone: str) -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 3, 29, tzinfo=UTC)
    if expression_problem(expression) is None:
        assert next_firing(expression, zone, now) > now


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.frozensets(st.sampled_from("abcdefgh"), max_size=3), min_size=1))
def test_a_graph_has_an_order_or_a_cycle(above: dict[str, frozenset[str]]) -> None:
    parents = {step: tuple(sorted(each & above.keys())) for step, each in above.items()}
    graph = Graph(parents)
    cycles = list(graph.cycles())
    assert bool(cycles) == graph.has_cycle
    place = {step: index for index, step in enumerate(graph.order)}
    assert all(place[parent] < place[step] for step in graph.order for parent in parents[step])
    assert all(
        before in parents[after] for cycle in cycles for before, after in zip(cycle, cycle[1:] + cycle[:1], strict=True)
    )
