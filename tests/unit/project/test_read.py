"""Whole projects: what is read of each kind of file, and what is said where it is wrong."""

from pathlib import Path

import pytest

from loopy.diagnostics.diagnostic import Diagnostic
from loopy.project.files import load_files
from loopy.project.model import OnCron, OnEvent, ProjectDecl, StepDecl
from loopy.project.read import read_project
from loopy.project.text import MAX_BYTES, Unreadable
from loopy.types.model import Enum, Fragment

AI_SRE = Path(__file__).parents[2] / "fixtures" / "ai-sre"
STEP = "workflows/w/s.md"


def read(path: str, content: str | bytes) -> tuple[ProjectDecl, list[Diagnostic]]:
    return read_project({path: content if isinstance(content, bytes) else content.encode()})


def step(header: str, prose: str = "Do it.\n") -> StepDecl:
    project, diagnostics = read(STEP, f"---\n{header}\n---\n{prose}")
    assert diagnostics == []
    return project.steps[0]


def said(path: str, content: str | bytes) -> list[tuple[str, int, int]]:
    return [(d.code, d.span.line, d.span.column) for d in read(path, content)[1]]


def test_the_seed_project_is_read_without_a_word() -> None:
    project, diagnostics = read_project(load_files(AI_SRE))
    assert diagnostics == []
    assert (len(project.steps), len(project.registry.events), len(project.sensors), len(project.skills)) == (7, 4, 2, 2)
    incident = project.registry.events[0]
    assert incident.fields[0].type == Enum(("sentry", "linear", "datadog"))
    assert (incident.fields[0].span.line, incident.fields[0].span.column) == (16, 33)


def test_every_key_of_a_step_is_read() -> None:
    found = step(
        """on: cron("*/5 * * * *", tz='Europe/Berlin')
agent: Fixer
output: { verdict: enum[pass, fail], why: { type: string, maxLength: 80 } }
emits: { WorkItem: { max: 5 }, Done: }
when: review.verdict == "pass"
budget: { wall_clock: 20, spend: { usd: 4.5 } }
retry: { attempts: 5, backoff: 1m, max_backoff: 2h }
concurrency: { name: deploys, key: "{{ event.repo }}", limit: 2 }
catch_up: all
overlap: queue
workspace: step
executors: { pool: gpu }
priority: 9"""
    )
    assert isinstance(found.on, OnCron)
    assert found.on.zone is not None
    assert (found.on.expression.value, found.on.zone.value) == ("*/5 * * * *", "Europe/Berlin")
    assert (found.on.expression.span.column, found.on.zone.span.column) == (11, 29)
    assert found.output[1].type == Fragment({"type": "string", "maxLength": 80})
    assert [(emit.event.value, emit.max) for emit in found.emits] == [("WorkItem", 5), ("Done", None)]
    assert found.when is not None
    assert found.when.value == 'review.verdict == "pass"'
    assert found.budget is not None
    assert found.budget.wall_clock_s is not None
    assert found.budget.spend_usd is not None
    assert (found.budget.wall_clock_s.value, found.budget.spend_usd.value) == (1200, 4.5)
    assert found.retry is not None
    assert (found.retry.attempts, found.retry.backoff_s, found.retry.max_backoff_s) == (5, 60, 7200)
    assert found.concurrency is not None
    assert found.concurrency.limit == 2
    assert found.catch_up is not None
    assert found.overlap is not None
    assert found.pool is not None
    assert (found.catch_up.value, found.overlap.value, found.workspace) == ("all", "queue", "step")
    assert (found.pool.value, found.priority) == ("gpu", 9)


def test_a_word_after_on_is_an_event_even_if_it_begins_like_a_schedule() -> None:
    found = step("on: CronFailed\nagent: A").on
    assert isinstance(found, OnEvent)
    assert isinstance(step("on: cronies\nagent: A").on, OnEvent)


def test_prose_may_hold_rules_and_begins_where_it_begins() -> None:
    prose = step("on: A\nagent: B", "One.\n---\nTwo.\n").prose
    assert (prose.text, prose.line) == ("One.\n---\nTwo.\n", 5)


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_of_other_systems_do_no_harm(mark: str, newline: str) -> None:
    text = f"{mark}---\non: A\nagent: B\n---\nDo it.\n".replace("\n", newline)
    project, diagnostics = read(STEP, text)
    assert diagnostics == []
    assert project.steps[0].prose.text == "Do it.\n"
    assert project.sources[STEP].startswith("---\non: A\n")


@pytest.mark.parametrize(
    ("header", "code", "line", "column"),
    [
        ("onn: A", "LP114", 2, 1),
        ("agent:A", "LP107", 2, 1),
        ("{agent:A}", "LP114", 2, 2),
        ("agent:", "LP115", 2, 1),
        ("agent: ''", "LP115", 2, 8),
        ("agent: { name: A }", "LP115", 2, 8),
        ("on: [A, B]", "LP115", 2, 5),
        ("on: 0 9 * * *", "LP116", 2, 5),
        ("on: cron(0 9 * * *)", "LP116", 2, 5),
        ('on: cron("0 9 * * *", timezone="UTC")', "LP116", 2, 5),
        ('on: cron("0 9 * * *"', "LP116", 2, 5),
        ("on: a b", "LP116", 2, 5),
        ("after: []", "LP115", 2, 8),
        ("after: a, b", "LP115", 2, 8),
        ("after: [a, { b: c }]", "LP115", 2, 12),
        ("output: str", "LP115", 2, 9),
        ("output: { a: strr }", "LP501", 2, 14),
        ("output: { a: 'list[strr]' }", "LP501", 2, 20),
        ("output: { a: }", "LP502", 2, 11),
        ("output: { a: [x, y] }", "LP502", 2, 14),
        ("output: { a: list[str }", "LP103", 2, 18),
        ("output: { a-b: str }", "LP505", 2, 11),
        ("output: { a: { b: enum[x,x] } }", "LP503", 2, 26),
        ("output: { a: { type: string, minLength: -1 } }", "LP504", 2, 14),
        ("emits: { A: { min: 1 } }", "LP114", 2, 15),
        ("emits: { A: { max: 0 } }", "LP115", 2, 20),
        ("emits: { A: 5 }", "LP115", 2, 13),
        ("emits: { event: A, max: 5 }", "LP115", 2, 25),
        ("emits: { A: , max: 5 }", "LP115", 2, 20),
        ("budget: 20", "LP115", 2, 9),
        ("budget: { wall_clock: 20x }", "LP119", 2, 23),
        ("budget: { wall_clock: 0 }", "LP119", 2, 23),
        ("budget: { spend: 4 }", "LP115", 2, 18),
        ("budget: { spend: { eur: 4 } }", "LP114", 2, 20),
        ("budget: { spend: { usd: -4 } }", "LP115", 2, 25),
        ("retry: { attempts: 0 }", "LP115", 2, 20),
        ("retry: { attempts: many }", "LP115", 2, 20),
        ("retry: { backoff: 30 }", "LP119", 2, 19),
        ("concurrency: 1", "LP115", 2, 14),
        ("concurrency: { limit: 0 }", "LP115", 2, 23),
        ("concurrency: { name: a b }", "LP115", 2, 22),
        ("catch_up: some", "LP115", 2, 11),
        ("overlap: [skip]", "LP115", 2, 10),
        ("workspace: runs", "LP115", 2, 12),
        ("executors: gpu", "LP115", 2, 12),
        ("priority: 10", "LP115", 2, 11),
        ("priority: high", "LP115", 2, 11),
        ("agent: A\nagent: B", "LP105", 3, 1),
    ],
)
def test_a_mistake_in_a_step_is_told_once_at_the_exact_word(header: str, code: str, line: int, column: int) -> None:
    assert said(STEP, f"---\n{header}\n---\nDo it.\n") == [(code, line, column)]


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("", "LP108", 1, 1),
        ("Do it.\n", "LP108", 1, 1),
        ("\n---\non: A\n---\nDo it.\n", "LP108", 1, 1),
        ("---\non: A\nDo it.\n", "LP109", 1, 1),
        ("---\non: A\n----\nDo it.\n", "LP109", 3, 1),
        ("---\non: A\n ---\nDo it.\n", "LP109", 3, 1),
        ("---\non: A\nagent: B\n---\n", "LP117", 4, 1),
        ("---\non: A\nagent: B\n---\n \n\n", "LP117", 4, 1),
        ("---\non: A\nagent: B\n---\nä\x07", "LP102", 5, 2),
        ("---\n- a\n---\nDo it.\n", "LP107", 2, 1),
    ],
)
def test_a_mistake_in_the_form_of_a_step_file_is_told_once(text: str, code: str, line: int, column: int) -> None:
    assert said(STEP, text) == [(code, line, column)]


@pytest.mark.parametrize("path", ["workflows/a b/s.md", "workflows/w/-s.md", "workflows/w/ä.md", "workflows/w/a.b.md"])
def test_a_name_that_no_subject_can_hold_is_refused(path: str) -> None:
    assert said(path, "---\non: A\nagent: B\n---\nDo it.\n") == [("LP118", 1, 1)]


def test_a_file_that_is_not_utf_8_is_told_at_its_first_wrong_byte() -> None:
    assert said(STEP, b"---\non: A\n# \xc3\xa4\xff\n---\nDo it.\n") == [("LP101", 3, 4)]
    assert said(STEP, "---\n".encode("utf-16")) == [("LP101", 1, 1)]


def test_a_file_that_is_too_large_is_not_read() -> None:
    assert said("registry.yml", b"a" * (MAX_BYTES + 1)) == [("LP113", 1, 1)]


def test_what_could_not_be_read_is_told_and_its_step_is_not_missed() -> None:
    project, diagnostics = read_project(
        {STEP: Unreadable("permission denied"), "tools": Unreadable("input/output error")}
    )
    assert [(d.code, d.span.path) for d in diagnostics] == [("LP120", "tools"), ("LP120", STEP)]
    assert [found.name for found in project.steps] == ["s"]


def test_stray_files_are_nobodys_business() -> None:
    project, diagnostics = read_project(
        {"README.md": b"\xff", "workflows/README.md": b"", "workflows/a/b.txt": b"", "sensors/a.txt": b""}
    )
    assert (diagnostics, project.sources) == ([], {})


def test_five_hundred_unclosed_brackets_are_one_mistake() -> None:
    assert said("registry.yml", "a: " + "[" * 500) == [("LP111", 1, 53)]
