"""What each renderer prints, to the letter."""

import json

from loopy.diagnostics.diagnostic import Diagnostic, Label
from loopy.diagnostics.render import counted
from loopy.diagnostics.render.concise import concise
from loopy.diagnostics.render.full import full
from loopy.diagnostics.render.github import github
from loopy.diagnostics.render.json import json as as_json
from loopy.diagnostics.span import Span

FIX = "---\nafter: a\nagent: A\noutput:\n  pr_url: url\n---\nFix.\n"
REVIEW = "---\nafter: fix\nagent: A\n---\n\n\nReview {{ fix.pr }}: {{ fix.summary }}.\n"
PATH = "workflows/resolve/review.md"
UNKNOWN = Diagnostic(
    "LP302",
    "`fix` has no output `pr`",
    Span.of(PATH, 7, 11, 6),
    "unknown field",
    (Label(Span.of("workflows/resolve/fix.md", 5, 3, 6), "closest match"),),
    "write `{{ fix.pr_url }}`",
)
WARNING = Diagnostic("LP804", "50%, a\nb", Span.of("a,b:c.md", 1, 2, 3))


def carets(line: str, span: Span) -> tuple[str, str]:
    """The printed source line and the line of marks below it, without the gutter."""
    shown = full([Diagnostic("LP302", "x", span)], {span.path: line}).splitlines()
    return shown[3][5:], shown[4][5:]


def test_full_shows_the_line_the_place_the_closest_match_and_the_help() -> None:
    sources = {PATH: REVIEW, "workflows/resolve/fix.md": FIX}
    assert full([UNKNOWN], sources) == (
        "error[LP302]: `fix` has no output `pr`\n"
        "  --> workflows/resolve/review.md:7:11\n"
        "   |\n"
        " 7 | Review {{ fix.pr }}: {{ fix.summary }}.\n"
        "   |           ^^^^^^ unknown field\n"
        "  ::: workflows/resolve/fix.md:5:3\n"
        " 5 |   pr_url: url\n"
        "   |   ------ closest match\n"
        "   = help: write `{{ fix.pr_url }}`      (loopy explain LP302)\n"
        "\n"
    )


def test_colour_is_there_only_when_asked_for_and_changes_no_letter() -> None:
    import re

    sources = {PATH: REVIEW, "workflows/resolve/fix.md": FIX}
    plain, coloured = full([UNKNOWN], sources), full([UNKNOWN], sources, colour=True)
    assert "\x1b" not in plain
    assert "\x1b[1;31merror[LP302]" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_marks_stand_below_their_characters_after_tabs() -> None:
    assert carets("\tab\tcd", Span.of("x.md", 1, 5, 2)) == ("    ab  cd", "        ^^")


def test_marks_stand_below_wide_and_combining_characters() -> None:
    assert carets("日本 ab", Span.of("x.md", 1, 4, 2)) == ("日本 ab", "     ^^")
    assert carets("e\u0301 ab", Span.of("x.md", 1, 4, 2))[1] == "  ^^"
    assert carets("日本", Span.of("x.md", 1, 1, 1))[1] == "^^"


def test_characters_that_move_the_cursor_are_not_printed() -> None:
    line, marks = carets("a\x1b[31mb", Span.of("x.md", 1, 7, 1))
    assert "\x1b" not in line
    assert line.index("b") == marks.index("^")


def test_a_long_line_is_clipped_around_its_span() -> None:
    line, marks = carets("x" * 500 + "HERE" + "y" * 500, Span.of("x.md", 1, 501, 4))
    assert len(line) < 140
    assert line.startswith("…")
    assert line.endswith("…")
    assert line[marks.index("^") :][: marks.count("^")] == "HERE"


def test_a_span_of_several_lines_is_marked_to_the_end_of_its_first() -> None:
    assert carets("abcdef\nghi", Span("x.md", 1, 3, 2, 2))[1] == "  ^^^^"


def test_an_empty_span_and_one_behind_the_end_have_one_mark() -> None:
    assert carets("abc", Span("x.md", 1, 2, 1, 2))[1] == " ^"
    assert carets("abc", Span.of("x.md", 1, 4, 1))[1] == "   ^"


def test_a_place_that_is_in_no_file_is_named_without_a_line() -> None:
    shown = full([Diagnostic("LP300", "no registry", Span.of("registry.yml", 1, 1))], {})
    assert shown.startswith("error[LP300]: no registry\n  --> registry.yml:1:1\n   = ")


def test_what_can_be_pasted_stands_at_the_margin() -> None:
    diagnostic = Diagnostic("LP801", "x", Span.of("a.md", 1, 1), paste="def f():\n    pass\n")
    assert "\n\ndef f():\n    pass\n" in full([diagnostic], {"a.md": "a"})


def test_concise_is_one_line_each() -> None:
    assert concise([UNKNOWN, WARNING]) == (
        "workflows/resolve/review.md:7:11: error[LP302]: `fix` has no output `pr`\n"
        "a,b:c.md:1:2: warning[LP804]: 50%, a b\n"
    )


def test_github_escapes_what_its_commands_would_read() -> None:
    assert github([WARNING]) == (
        "::warning file=a%2Cb%3Ac.md,line=1,endLine=1,col=2,endColumn=5,title=loopy LP804::50%25, a%0Ab\n"
    )


def test_json_is_one_document_with_every_part() -> None:
    document = json.loads(as_json([UNKNOWN], {"ok": False}))
    assert document["ok"] is False
    assert document["diagnostics"] == [
        {
            "code": "LP302",
            "severity": "error",
            "headline": "`fix` has no output `pr`",
            "path": PATH,
            "line": 7,
            "column": 11,
            "end_line": 7,
            "end_column": 17,
            "label": "unknown field",
            "also": [
                {
                    "text": "closest match",
                    "path": "workflows/resolve/fix.md",
                    "line": 5,
                    "column": 3,
                    "end_line": 5,
                    "end_column": 9,
                }
            ],
            "help": "write `{{ fix.pr_url }}`",
            "paste": "",
        }
    ]


def test_counts_leave_out_what_there_is_none_of() -> None:
    assert counted([UNKNOWN, WARNING, UNKNOWN]) == "2 errors, 1 warning"
    assert counted([WARNING, WARNING]) == "2 warnings"
    assert counted([UNKNOWN]) == "1 error"


def test_of_very_many_a_hundred_are_shown_in_their_order_and_errors_before_warnings() -> None:
    warnings = [Diagnostic("LP804", f"warning {line}", Span.of("a.md", line, 1)) for line in range(1, 131)]
    error = Diagnostic("LP302", "the error", Span.of("b.md", 1, 1))
    shown = full([*warnings, error], {})
    assert shown.count("[LP") == 100
    assert shown.endswith("… and 31 more; `--format concise` lists them all\n\n")
    assert shown.index("warning 99") < shown.index("the error")
    assert "warning 100" not in shown
    assert concise([*warnings, error]).count("\n") == 131
