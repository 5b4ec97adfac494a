"""Every literate test of this directory, and the counts that the project promises of them."""

from pathlib import Path

import pytest

from loopy.compiler.compile import compile_project
from tests.support.literate import Example, Expected, examples

HERE = Path(__file__).parent
DOCUMENTS = sorted(path for path in HERE.glob("*.md") if path.name != "README.md")
EXAMPLES = [
    pytest.param(example, id=f"{path.stem}: {example.title}")
    for path in DOCUMENTS
    for example in examples(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_mistake_gives_exactly_one_diagnostic_at_its_place(example: Example) -> None:
    compiled = compile_project(example.files)
    found = [
        Expected(d.span.path, d.span.line, d.span.column, d.severity, d.code, f"{d.headline}; {d.label}; {d.help}")
        for d in compiled.diagnostics
    ]
    without_text = [(e.path, e.line, e.column, e.severity, e.code) for e in example.expected]
    assert [(f.path, f.line, f.column, f.severity, f.code) for f in found] == without_text, found
    for expected, actual in zip(example.expected, found, strict=True):
        assert expected.text in actual.text
    assert (compiled.plan is None) == any(e.severity == "error" for e in example.expected)


def test_at_least_sixty_mistakes_are_planted() -> None:
    planted = [
        e for path in DOCUMENTS for example in examples(path.read_text(encoding="utf-8")) for e in example.expected
    ]
    assert len(planted) >= 60
