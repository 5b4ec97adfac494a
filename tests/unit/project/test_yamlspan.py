"""YAML with positions, from libyaml and from PyYAML's own parser alike."""

from collections.abc import Iterator

import pytest
import yaml

from loopy.project import yamlspan
from loopy.project.tree import Items, Lost, Pairs, Text, Tree, plain_value
from loopy.project.yamlspan import read_yaml


@pytest.fixture(autouse=True, params=[yaml.CBaseLoader, yaml.BaseLoader], ids=["libyaml", "PyYAML"])
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamlspan, "_LOADER", request.param)


def words(tree: Tree | None) -> Iterator[Text]:
    match tree:
        case Text():
            yield tree
        case Items():
            for item in tree.items:
                yield from words(item)
        case Pairs():
            for entry in tree.entries:
                yield entry.key
                yield from words(entry.value)
        case Lost() | None:
            return


def test_every_word_knows_its_place() -> None:
    text = """on: Incident # the entry
output: { source: enum[sentry, linear], tags: list[enum[ä, b]?]?, n: int? }
emits: [A, "B b", 'C']
deep:
    - x: 1
    - "→ y"
"""
    tree, diagnostics = read_yaml(text, "f", first_line=1)
    assert diagnostics == []
    lines = text.split("\n")
    found = [
        (word.text, lines[word.span.line - 1][word.span.column - 1 : word.span.end_column - 1]) for word in words(tree)
    ]
    assert all(written.strip("\"'") == word for word, written in found)
    assert "list[enum[ä, b]?]?" in dict(found)


def test_a_header_that_begins_further_down_counts_from_there() -> None:
    tree, _ = read_yaml("a: b\n", "f", first_line=7)
    assert [word.span.line for word in words(tree)] == [7, 7]


def test_scalars_mean_what_yaml_1_2_says() -> None:
    tree, _ = read_yaml(
        "{on: yes, a: true, b: 3, c: 3.10, d: ~, e: '5', f: 0o7, g: 1e3, h: null, i: , j: 2026-01-01}", "f"
    )
    assert tree is not None
    assert plain_value(tree) == {
        "on": "yes", "a": True, "b": 3, "c": 3.1, "d": None, "e": "5", "f": "0o7", "g": 1000.0, "h": None, "i": None,
        "j": "2026-01-01",
    }  # fmt: skip


def test_private_use_characters_of_the_author_survive() -> None:
    tree, diagnostics = read_yaml("{ a: enum[\ue000, \ue001], b: \ue002 }", "f")
    assert diagnostics == []
    assert tree is not None
    assert plain_value(tree) == {"a": "enum[\ue000, \ue001]", "b": "\ue002"}


def test_brackets_in_comments_and_quotes_are_left_alone() -> None:
    tree, diagnostics = read_yaml('# see enum[ for more\na: "list[x, y"  # or a[b, c]\nb: [x[, y]\n', "f")
    assert [d.code for d in diagnostics] == ["LP103"]
    tree, diagnostics = read_yaml('# see enum[ for more\na: "list[x, y]"  # or a[b, c]\nb: [x, y]\n', "f")
    assert diagnostics == []
    assert tree is not None
    assert plain_value(tree) == {"a": "list[x, y]", "b": ["x", "y"]}


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "headline"),
    [
        ("a:\n\tb: 1\n", "LP104", 2, 1, "indented with a tab"),
        ("a: {b: 1\nc: 2\n", "LP103", 1, 4, "`{` is never closed"),
        ("a: [1, 2\n", "LP103", 1, 4, "`[` is never closed"),
        ("a: {b: 1 c: 2}\n", "LP103", 1, 11, "a `,` or `}` is missing"),
        ('a: "x\nb: 1\n', "LP103", 1, 4, "this quote is never closed"),
        ("a: b: c\n", "LP103", 1, 5, "a value holds `: `"),
        ("a: @x\n", "LP103", 1, 4, "cannot begin with `@`"),
        ("a: 1\n  b: 2\n", "LP103", 2, 4, "this key stands where none can"),
        ("a:\n  b: 1\n c: 2\n", "LP103", 3, 2, "does not fit the lines around it"),
        ("a: - b\n", "LP103", 1, 4, "a list cannot begin on this line"),
        ("a: }\n", "LP103", 1, 4, "a value is missing before `}`"),
        ("a: [*.github.com]\n", "LP103", 1, 5, "text that begins with `*` needs quotes"),
        ("a: |x\n  y\n", "LP103", 1, 5, "can follow `|`"),
        ('a: "x" y\n', "LP103", 1, 8, "follows the end of this value"),
        ("%YAML 9.9\n---\na: 1\n", "LP103", 1, 1, "directives"),
        ("a: 1\na: 2\n", "LP105", 2, 1, "`a` is written twice"),
        ("a: &x 1\nb: *x\n", "LP106", 1, 4, "anchor `&x`"),
        ("a: *x\n", "LP106", 1, 4, "alias `*x`"),
        ("a: !!str 1\n", "LP106", 1, 4, "tag"),
        ("a: !e!foo 1\n", "LP106", 1, 4, "tags"),
        ("a: 1\n---\nb: 2\n", "LP110", 2, 1, "second YAML document"),
        ("a: " + "[" * 60, "LP111", 1, 53, "more than 50 deep"),
        ("a: {{ event.x }}\n", "LP112", 1, 5, "a map cannot be a key"),
        ("[a]: b\n", "LP112", 1, 1, "a list cannot be a key"),
        ("? \n: b\n", "LP112", 1, 2, "a key is missing"),
        ('a: "x\\0"\n', "LP102", 1, 4, "U+0000"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_once_at_the_place_to_mend(
    text: str, code: str, line: int, column: int, headline: str
) -> None:
    _, diagnostics = read_yaml(text, "f")
    assert [(d.code, d.span.line, d.span.column) for d in diagnostics] == [(code, line, column)]
    assert headline in diagnostics[0].headline


def test_aliases_that_would_grow_without_bounds_are_refused_at_once() -> None:
    bomb = "a: &a [x]\n" + "".join(
        f"{b}: &{b} [*{a},*{a},*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    _, diagnostics = read_yaml(bomb, "f")
    assert [d.code for d in diagnostics] == ["LP106"]


def test_a_duplicate_points_at_the_first_too() -> None:
    _, (diagnostic,) = read_yaml("x: {a: 1, b: 2, a: 3}\n", "f")
    assert [label.span.column for label in diagnostic.also] == [5]


def test_nothing_is_no_tree_and_no_mistake() -> None:
    assert read_yaml("# only a comment\n", "f") == (None, [])
