"""Skills."""

import pytest

from loopy.project.skills import read_skill


def skill(header: str) -> str:
    return f"---\n{header}\n---\nHow to.\n"


def test_a_skill_is_named_by_its_path_and_keeps_the_formats_other_keys() -> None:
    text = skill("name: fix-quality\ndescription: Judge a fix.\nlicense: MIT\nmetadata: { author: us }")
    found, diagnostics = read_skill("skills/rubrics/fix-quality/SKILL.md", text)
    assert diagnostics == []
    assert found.description is not None
    assert (found.reference, found.description.value) == ("rubrics/fix-quality", "Judge a fix.")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("description: d", ("LP712", 1, 1)),
        ("name: testing", ("LP712", 1, 1)),
        ("name: testing\ndescription: [d]", ("LP712", 3, 14)),
        ("name: testing\ndescription: " + "d" * 1025, ("LP712", 3, 14)),
        ("name: Testing\ndescription: d", ("LP713", 2, 7)),
        ("name: test--ing\ndescription: d", ("LP713", 2, 7)),
        ("name: tests\ndescription: d", ("LP713", 2, 7)),
        ("name: " + "a" * 65 + "\ndescription: d", ("LP713", 2, 7)),
    ],
)
def test_a_mistake_is_told_once(header: str, expected: tuple[str, int, int]) -> None:
    _, diagnostics = read_skill("skills/testing/SKILL.md", skill(header))
    assert [(d.code, d.span.line, d.span.column) for d in diagnostics] == [expected]


def test_a_skill_has_a_directory_of_its_own() -> None:
    _, (diagnostic,) = read_skill("skills/SKILL.md", skill("name: testing\ndescription: d"))
    assert diagnostic.help == "move it to `skills/testing/SKILL.md`"
