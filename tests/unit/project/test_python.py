"""Sensors and tools, read from the syntax tree."""

import warnings

import pytest

from loopy.diagnostics.diagnostic import Diagnostic
from loopy.project.model import SensorDecl, ToolDecl
from loopy.project.python import PythonFile
from loopy.project.sensors import read_sensors
from loopy.project.tools import read_tools

HEAD = "from loopy import sensor\n"
PATH = "sensors/a.py"


def sensors(text: str) -> tuple[list[SensorDecl], list[Diagnostic]]:
    file = PythonFile(PATH, text)
    return read_sensors(file), file.diagnostics


def tools_in(text: str) -> tuple[list[ToolDecl], list[Diagnostic]]:
    file = PythonFile("tools/t.py", text)
    return read_tools(file), file.diagnostics


def said(text: str) -> list[tuple[str, int, int]]:
    return [(d.code, d.span.line, d.span.column) for d in sensors(text)[1]]


@pytest.mark.parametrize(
    ("imports", "decorator"),
    [
        ("from loopy import sensor", "sensor"),
        ("from loopy import sensor as s", "s"),
        ("import loopy", "loopy.sensor"),
        ("import loopy as lp", "lp.sensor"),
        ("import loopy.authoring", "loopy.authoring.sensor"),
        ("from loopy.authoring import sensor", "sensor"),
        ("from loopy import *", "sensor"),
        ("try:\n    from loopy import sensor\nexcept ImportError:\n    raise", "sensor"),
    ],
)
def test_a_sensor_is_found_whatever_it_was_imported_as(imports: str, decorator: str) -> None:
    arguments = 'webhook="/hooks/a", emits=["A", "B"], verify="sentry", timeout="5s"'
    (sensor,), diagnostics = sensors(f"{imports}\n\n@{decorator}({arguments})\nasync def f(r): ...\n")
    assert diagnostics == []
    assert sensor.webhook is not None
    assert (sensor.name.value, sensor.webhook.value, sensor.verify, sensor.timeout_s) == ("f", "/hooks/a", "sentry", 5)
    assert [event.value for event in sensor.emits] == ["A", "B"]


def test_columns_count_characters_and_not_bytes() -> None:
    (sensor,), _ = sensors(f'# ä→\n{HEAD}@sensor(webhook="/a",emits="A")\nasync  def ok(ä, r=1): "→"\n')
    assert (sensor.name.span.line, sensor.name.span.column) == (4, 12)
    wrong = f'{HEAD}x = "ä→"; y = 1\n@sensor(poll="ä→", emitz="A")\ndef f(t): ...\n'
    assert said(wrong) == [("LP706", 3, 20), ("LP705", 3, 14)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(:\n", ("LP701", 1, 7)),
        (HEAD + "@sensor\ndef f(r): ...\n", ("LP703", 2, 2)),
        (HEAD + '@sensor(emits="A")\ndef f(r): ...\n', ("LP703", 2, 2)),
        (HEAD + '@sensor(webhook="/a", poll="5m", emits="A")\ndef f(r): ...\n', ("LP703", 2, 23)),
        (HEAD + '@sensor(webhook="/a")\ndef f(r): ...\n', ("LP709", 2, 2)),
        (HEAD + '@sensor(webhook="/a", emits=[])\ndef f(r): ...\n', ("LP709", 2, 29)),
        (HEAD + '@sensor(webhook="/a", emits=A)\ndef f(r): ...\n', ("LP702", 2, 29)),
        (HEAD + '@sensor(webhook="/a", emits=["A", B])\ndef f(r): ...\n', ("LP702", 2, 35)),
        (HEAD + '@sensor(webhook=f"/{x}", emits="A")\ndef f(r): ...\n', ("LP702", 2, 17)),
        (HEAD + '@sensor(poll=300, emits="A")\ndef f(r): ...\n', ("LP702", 2, 14)),
        (HEAD + '@sensor(poll="0s", emits="A")\ndef f(r): ...\n', ("LP705", 2, 14)),
        (HEAD + '@sensor(poll="500", emits="A")\ndef f(r): ...\n', ("LP705", 2, 14)),
        (HEAD + '@sensor(webhook="a", emits="A")\ndef f(r): ...\n', ("LP704", 2, 17)),
        (HEAD + '@sensor(webhook="/a/../b", emits="A")\ndef f(r): ...\n', ("LP704", 2, 17)),
        (HEAD + '@sensor(webhook="/a?b", emits="A")\ndef f(r): ...\n', ("LP704", 2, 17)),
        (HEAD + '@sensor("/a", emits="A")\ndef f(r): ...\n', ("LP706", 2, 9)),
        (HEAD + '@sensor(webhook="/a", emits="A", verfy="sentry")\ndef f(r): ...\n', ("LP706", 2, 34)),
        (HEAD + '@sensor(**options)\ndef f(r): ...\n', ("LP702", 2, 9)),
        (HEAD + '@sensor(webhook="/a", emits="A", rate="5/s")\ndef f(r): ...\n', ("LP707", 2, 34)),
        (HEAD + '@sensor(webhook="/a", emits="A", verify="jira")\ndef f(r): ...\n', ("LP708", 2, 41)),
        (HEAD + '@sensor(poll="5m", emits="A", verify="sentry")\ndef f(r): ...\n', ("LP708", 2, 31)),
        (HEAD + '@sensor(webhook="/a", emits="A", timeout="soon")\ndef f(r): ...\n', ("LP119", 2, 42)),
        (HEAD + '@sensor(webhook="/a", emits="A")\nclass F: ...\n', ("LP710", 2, 2)),
        (HEAD + 'class C:\n    @sensor(webhook="/a", emits="A")\n    def f(r): ...\n', ("LP710", 3, 6)),
        (HEAD + '@sensor(webhook="/a", emits="A")\ndef ä(r): ...\n', ("LP710", 3, 5)),
        ('@sensor(webhook="/a", emits="A")\ndef f(r): ...\n', ("LP710", 1, 2)),
        ("from loopy import tool\n@tool\ndef f(c): ...\n", ("LP710", 2, 2)),
    ],
)  # fmt: skip
def test_a_mistake_is_told_once_at_the_exact_word(text: str, expected: tuple[str, int, int]) -> None:
    assert said(text) == [expected]


def test_decorators_of_others_are_nobodys_business() -> None:
    theirs = "from elsewhere import sensor\nimport pytest\n@sensor(1)\n@pytest.fixture\ndef f(): ...\n"
    assert sensors(theirs + "def tool(): ...\n@tool\ndef g(): ...\n") == ([], [])


def test_a_sensor_under_a_condition_is_found() -> None:
    (sensor,), _ = sensors(f'{HEAD}if True:\n    @sensor(poll="1d", emits="A")\n    def f(t): ...\n')
    assert sensor.poll_s is not None
    assert sensor.poll_s.value == 86400


def test_a_files_own_warnings_are_not_ours() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert said('x = "\\d"\n') == []


@pytest.mark.parametrize("text", ["x = 1\0", "(" * 3000, "-" * 100_000 + "1", "\n" * 1000 + "if:"])
def test_what_python_cannot_parse_is_one_mistake(text: str) -> None:
    assert [code for code, *_ in said(text)] == ["LP701"]


def test_tools_are_described_by_their_docstrings() -> None:
    first, second = '@tool\ndef a(ctx):\n    """Do\n    it."""\n', '@tool()\nasync def b(ctx):\n    """It."""\n'
    text = f"from loopy import tool\n\n{first}\n{second}"
    tools, diagnostics = tools_in(text)
    assert diagnostics == []
    assert [(tool.name.value, tool.description) for tool in tools] == [("a", "Do\nit."), ("b", "It.")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from loopy import tool\n@tool\ndef f(c): ...\n", ("LP711", 3, 5)),
        ('from loopy import tool\n@tool(name="x")\ndef f(c): "It."\n', ("LP706", 2, 7)),
        ('from loopy import sensor\n@sensor(poll="5m", emits="A")\ndef f(t): ...\n', ("LP710", 2, 2)),
    ],
)
def test_a_mistake_in_a_tool_is_told_once(text: str, expected: tuple[str, int, int]) -> None:
    assert [(d.code, d.span.line, d.span.column) for d in tools_in(text)[1]] == [expected]
