"""How everything looks: symbols, styles, times, ids and tables, the same in every command.

What is shown is made of `Piece`s, text with the name of a style. On a terminal they go through rich, in a pipe they are
plain text. Text from outside is made harmless here: no control character reaches a terminal.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

DONE, BROKEN, BUSY, WAITING, LEADS_TO, ATTENTION, SKIPPED = "✓", "✗", "●", "○", "→", "!", "–"
SHORT_ID = 8
_LONGEST_FOREIGN_ID = 32
_STYLES = {"ok": "green", "bad": "red", "warn": "yellow", "busy": "cyan", "dim": "dim", "name": "bold", "": ""}


class Piece(NamedTuple):
    """Text in one style: `ok`, `bad`, `warn`, `busy`, `dim`, `name`, or none."""

    text: str
    style: str = ""


Line = tuple[Piece, ...]


def line(*pieces: str | Piece) -> Line:
    """A line of pieces; bare text has no style."""
    return tuple(Piece(piece) if isinstance(piece, str) else piece for piece in pieces)


def printable(text: str) -> str:
    """The text on one line, every character that a terminal might obey shown as its escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def plain(shown: Line) -> str:
    """The line as it is in a pipe."""
    return "".join(printable(piece.text) for piece in shown).rstrip()


def rich_text(shown: Line) -> "Text":
    """The line as it is on a terminal."""
    from rich.text import Text

    return Text.assemble(*((printable(piece.text), _STYLES[piece.style]) for piece in shown), no_wrap=True)


class Screen:
    """Where lines go: a terminal through rich, or a pipe as plain text."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_terminal = stream.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def has_colour(self) -> bool:
        """Whether colour is to be seen here."""
        return self.is_terminal and not os.environ.get("NO_COLOR")

    @property
    def console(self) -> "Console":
        """rich's console on this stream; made when it is first needed."""
        from rich.console import Console

        if not hasattr(self, "_console"):
            self._console = Console(file=self._stream, highlight=False, markup=False, emoji=False)
        return self._console

    def line(self, shown: Line | str = ()) -> None:
        """Print one line."""
        shown = line(shown) if isinstance(shown, str) else shown
        if self.is_terminal:
            self.console.print(rich_text(shown), soft_wrap=True)
        else:
            print(plain(shown), file=self._stream, flush=True)

    def lines(self, many: Iterable[Line | str]) -> None:
        """Print each line."""
        for shown in many:
            self.line(shown)

    def rendered(self, text: str) -> None:
        """Print text that was made for this screen, its colours included."""
        if not self.is_terminal:
            print(text, end="", file=self._stream, flush=True)
        elif text:
            from rich.text import Text

            self.console.print(Text.from_ansi(text.removesuffix("\n")), soft_wrap=True)


def stdout_screen() -> Screen:
    """Standard output."""
    return Screen(sys.stdout)


def stderr_screen() -> Screen:
    """Standard error."""
    return Screen(sys.stderr)


def print_json(value: Any) -> None:
    """One JSON value on standard output, all keys in it: indented on a terminal, one line in a pipe."""
    import msgspec

    from loopy.kit.documents import complete

    data = msgspec.json.encode(complete(value))
    print((msgspec.json.format(data) if sys.stdout.isatty() else data).decode(), flush=True)


def error_lines(message: str, hint: str) -> list[Line]:
    """An error: what was wrong, and under it what to do."""
    first, *others = message.splitlines() or [""]
    lines = [line(Piece("error: ", "bad"), first), *(line(f"  {other}") for other in others)]
    return [*lines, line(Piece("  help: ", "busy"), hint)] if hint else lines


def duration(seconds: float) -> str:
    """A duration in three digits or so: `4ms`, `0.02s`, `12.3s`, `4m05s`, `2h03m`."""
    if seconds < 0.01:
        return f"{max(seconds, 0) * 1000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.2f}s"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours}h{minutes_left:02d}m" if hours else f"{minutes}m{rest:02d}s"


def clock_time(at: datetime) -> str:
    """The time of day here: `12:00:01`."""
    return at.astimezone().strftime("%H:%M:%S")


def date_time(at: datetime) -> str:
    """Day and time here: `2026-11-22 12:00:01`."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def short(identity: str) -> str:
    """An id as it is shown: the beginning of one of ours; one from outside as it is, unless it is long."""
    if len(identity) == 24 and not identity.strip("0123456789abcdef"):
        return identity[:SHORT_ID]
    return identity if len(identity) <= _LONGEST_FOREIGN_ID else identity[: _LONGEST_FOREIGN_ID - 1] + "…"


def shortened(ids: Iterable[str]) -> dict[str, str]:
    """For each id a beginning that none of the others has, at least eight characters long and equally long for all."""
    unique = set(ids)
    length = SHORT_ID
    longest = max(map(len, unique), default=0)
    while length < longest and len({identity[:length] for identity in unique}) < len(unique):
        length += 1
    return {identity: identity[:length] for identity in unique}


def shorten(text: str, width: int) -> str:
    """The text on one line of at most `width` characters, an ellipsis at its end where it was cut."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def values(data: dict[str, Any], width: int = 60) -> str:
    """`root_cause=null pointer, repro=curl …`: named values on one line, each cut at `width` characters."""
    import msgspec

    def one(value: Any) -> str:
        return shorten(value if isinstance(value, str) else msgspec.json.encode(value).decode(), width)

    return ", ".join(f"{name}={one(value)}" for name, value in data.items())


def table(rows: Sequence[Line]) -> list[Line]:
    """Rows whose columns stand under each other; the last column is as long as it is."""
    if not rows:
        return []
    widths = [max(len(printable(row[i].text)) for row in rows) for i in range(len(rows[0]) - 1)]
    return [(*map(_padded, row, widths), row[-1]) for row in rows]


def _padded(cell: Piece, width: int) -> Piece:
    return Piece(f"{printable(cell.text):<{width}}  ", cell.style)


def counted(number: int, noun: str) -> str:
    """`1 schedule`, `2 schedules`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
