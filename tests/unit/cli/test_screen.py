"""How things look, in a pipe and on a terminal."""

import io
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopy.cli.screen import (
    Piece,
    Screen,
    clock_time,
    counted,
    duration,
    error_lines,
    line,
    plain,
    printable,
    short,
    shorten,
    shortened,
    table,
    values,
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0ms"),
        (-1, "0ms"),
        (0.0042, "4ms"),
        (0.024, "0.02s"),
        (9.99, "9.99s"),
        (12.34, "12.3s"),
        (61, "1m01s"),
        (7384, "2h03m"),
    ],
)
def test_durations_have_about_three_digits(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_printed(text: str) -> None:
    assert printable(text).isprintable()


def test_an_escape_sequence_is_shown_not_obeyed() -> None:
    assert plain(line("title=", Piece("\x1b[2Jgone\n", "bad"))) == "title=\\x1b[2Jgone\\n"


def test_an_id_of_ours_is_shortened_and_one_of_others_is_not() -> None:
    assert short("0123456789abcdef01234567") == "01234567"
    assert short("order-4711") == "order-4711"
    assert short("x" * 100) == "x" * 31 + "…"


@given(st.sets(st.text("0123456789abcdef", min_size=24, max_size=24)))
def test_shortened_ids_are_unique_beginnings(ids: set[str]) -> None:
    shown = shortened(ids)
    assert len(set(shown.values())) == len(ids)
    assert all(identity.startswith(shown[identity]) and len(shown[identity]) >= 8 for identity in ids)


def test_ids_that_begin_alike_are_shown_longer() -> None:
    assert shortened(["aaaaaaaaaa1", "aaaaaaaaaa2"]) == {"aaaaaaaaaa1": "aaaaaaaaaa1", "aaaaaaaaaa2": "aaaaaaaaaa2"}


def test_values_are_cut_and_on_one_line() -> None:
    assert values({"a": "x\ny", "b": [1, 2], "c": None}) == "a=x y, b=[1,2], c=null"
    assert values({"a": "x" * 100}, width=5) == "a=xxxx…"
    assert shorten("four", 4) == "four"


def test_columns_stand_under_each_other() -> None:
    rows = table([line("a", "bbb", "c"), line("aaaa", "b", "")])
    assert [plain(row) for row in rows] == ["a     bbb  c", "aaaa  b"]


def test_an_error_names_what_to_do_below_what_was_wrong() -> None:
    assert [plain(shown) for shown in error_lines("wrong\nvery", "mend it")] == [
        "error: wrong",
        "  very",
        "  help: mend it",
    ]


def test_one_is_singular() -> None:
    assert (counted(1, "schedule"), counted(0, "schedule")) == ("1 schedule", "0 schedules")


def test_times_are_local_and_to_the_second() -> None:
    assert re.fullmatch(r"\d\d:\d\d:\d\d", clock_time(datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)))


def test_a_pipe_gets_plain_text() -> None:
    stream = io.StringIO()
    Screen(stream).line(line(Piece("✓", "ok"), " done"))
    assert stream.getvalue() == "✓ done\n"


def test_a_terminal_gets_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    Screen(stream).line(line(Piece("✓", "ok"), " [bold]not markup[/bold]"))
    assert stream.getvalue() == "\x1b[32m✓\x1b[0m [bold]not markup[/bold]\n"


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    Screen(stream).line(line(Piece("✓", "ok"), " done"))
    assert stream.getvalue() == "✓ done\n"


def test_what_was_made_for_a_screen_keeps_its_lines_and_on_a_terminal_its_colours() -> None:
    for stream, told in ((io.StringIO(), "error: no\n   | x\n"), (Terminal(), "\x1b[1;31merror\x1b[0m: no\n   | x\n")):
        Screen(stream).rendered(told)
        Screen(stream).rendered("")
        assert re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()) == "error: no\n   | x\n"
        assert ("\x1b[1;31m" in stream.getvalue()) == stream.isatty()
