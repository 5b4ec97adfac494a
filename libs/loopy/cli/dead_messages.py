"""How messages that were set aside are shown: in a list, and one with all that it holds. Pure."""

from typing import TYPE_CHECKING

from loopy.cli.screen import Line, Piece, Screen, date_time, line, printable, shorten

if TYPE_CHECKING:
    from loopy.bus.dead import DeadMessage
    from loopy.bus.deadletters import SetAside

WIDEST_SUBJECT = 60
BYTES_A_LINE = 16
MOST_SHOWN = 4096


def row(found: "SetAside") -> Line:
    """One message in a list."""
    letter, settled = found.letter, found.settled
    fate = (Piece(f"{settled.fate} by {settled.by}", "dim"),) if settled is not None else ()
    return line(
        Piece(letter.id, "name"), date_time(letter.at), Piece(letter.reason, "bad"), *fate,
        shorten(letter.subject, WIDEST_SUBJECT), Piece(shorten(letter.detail, 200), "dim"),
    )  # fmt: skip


def print_letter(screen: Screen, found: "SetAside", letter: "DeadMessage") -> None:
    """One message with all that it holds."""
    about = f"  set aside at {date_time(letter.at)}, stored at {date_time(letter.stored_at)}"
    screen.line(line(Piece(letter.id, "name"), "  ", Piece(letter.reason, "bad"), Piece(about, "dim")))
    screen.line(f"  {letter.subject}")
    screen.lines(f"  {each}" for each in letter.detail.splitlines())
    if found.settled is not None:
        screen.line(f"  {found.settled.fate} by {found.settled.by} at {date_time(found.settled.at)}")
    screen.lines(
        [line(), *(line(Piece(f"  {name}: ", "dim"), value) for name, value in letter.headers.items()), line()]
    )
    screen.lines(_payload_lines(letter))


def _payload_lines(letter: "DeadMessage") -> list[Line]:
    if letter.truncated:
        return [line(Piece("  it was too large to be copied, and the original is gone", "dim"))]
    from loopy.bus.deadletters import text_of

    shown, rest = letter.payload[:MOST_SHOWN], len(letter.payload) - MOST_SHOWN
    text = text_of(letter)
    lines = _text_lines(text[:MOST_SHOWN]) if text is not None else _dump(shown)
    more = [line(Piece(f"  and {rest:,} bytes more; --raw gives them all", "dim"))] if rest > 0 else []
    return [*lines, *more]


def _text_lines(text: str) -> list[Line]:
    return [line(f"  {each}") for each in text.splitlines()]


def _dump(payload: bytes) -> list[Line]:
    """Bytes that are no text, as hexadecimal digits with what can be read of them beside."""
    pieces = [payload[at : at + BYTES_A_LINE] for at in range(0, len(payload), BYTES_A_LINE)]
    return [
        line(
            Piece(f"  {number * BYTES_A_LINE:06x}  ", "dim"), f"{piece.hex(' '):<{BYTES_A_LINE * 3}} ", _readable(piece)
        )
        for number, piece in enumerate(pieces)
    ]


def _readable(piece: bytes) -> str:
    return "".join(char if char.isascii() and printable(char) == char else "." for char in piece.decode("latin-1"))
