"""How wide characters are on a terminal, so that an underline stands below what it means."""

TAB = 4


def width(text: str) -> int:
    """The cells that `text` takes, tabs expanded from its beginning."""
    return len(expanded(text)) if text.isascii() else sum(map(_cells, expanded(text)))


def expanded(text: str) -> str:
    """`text` with blanks for tabs, and without characters that would move the cursor."""
    if text.isprintable():
        return text
    shown = "".join(char if char == "\t" or char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    cells, out = 0, []
    for char in shown:
        blanks = TAB - cells % TAB
        out.append(" " * blanks if char == "\t" else char)
        cells += blanks if char == "\t" else _cells(char)
    return "".join(out)


def _cells(char: str) -> int:
    if char.isascii():
        return 1
    from unicodedata import category, east_asian_width

    if category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(char) in ("W", "F") else 1
