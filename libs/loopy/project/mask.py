"""`enum[a, b]` and `T?` inside a flow map, hidden from YAML.

In `{ source: enum[sentry, linear] }` a YAML scanner ends the scalar at `[`, and some end it at `?`. Every character of
such a bracket that YAML would take for its own is replaced by one private-use character that the text does not hold.
The text keeps its length, so all positions stay true; what is read is put back with `unmask`.
"""

import re
from itertools import islice

_OPENING = re.compile(r"(?<=[A-Za-z0-9_])\[|(?<=[A-Za-z0-9_\]])\?")
_TOKENS = re.compile(r"[\[\]\n{}#\\]|: ")
_HIDDEN = "[], ?"
_PRIVATE_USE = range(0xE000, 0xF8FF)
_MAX_DEPTH = 16
_MAX_LENGTH = 4096


class Mask:
    """`text` with its type brackets hidden; `masked` is what YAML reads."""

    def __init__(self, text: str) -> None:
        stretches = _stretches(text)
        self.masked = text
        self._restored: dict[int, str] = {}
        spare = _spare(text) if stretches else ""
        if spare:
            self._restored = {ord(put): hidden for put, hidden in zip(spare, _HIDDEN, strict=True)}
            self.masked = _hide(text, stretches, str.maketrans(_HIDDEN, spare))

    def unmask(self, text: str) -> str:
        """A scalar as the author wrote it."""
        return text.translate(self._restored) if self._restored else text


def _stretches(text: str) -> list[tuple[int, int]]:
    """Where balanced brackets that follow a word begin and end, in order, none inside another."""
    found: list[tuple[int, int]] = []
    at = 0
    while opening := _OPENING.search(text, at):
        end = opening.end() if opening[0] == "?" else _closing(text, opening.start())
        if end is None:
            at = opening.end()
        else:
            found.append((opening.start(), end))
            at = end
    return found


def _closing(text: str, start: int) -> int | None:
    """The end of the bracket that opens at `start`, on the same line and without anything that belongs to YAML."""
    depth = 0
    for token in _TOKENS.finditer(text, start, start + _MAX_LENGTH):
        match token[0]:
            case "[":
                depth += 1
                if depth > _MAX_DEPTH:
                    return None
            case "]":
                depth -= 1
                if depth == 0:
                    return token.end()
            case _:
                return None
    return None


def _spare(text: str) -> str:
    """Private-use characters that the text does not hold, one for each that is hidden; empty if it holds them all."""
    present = set(text)
    free = "".join(islice((chr(code) for code in _PRIVATE_USE if chr(code) not in present), len(_HIDDEN)))
    return free if len(free) == len(_HIDDEN) else ""


def _hide(text: str, stretches: list[tuple[int, int]], table: dict[int, int]) -> str:
    parts: list[str] = []
    at = 0
    for start, end in stretches:
        parts += (text[at:start], text[start:end].translate(table))
        at = end
    return "".join((*parts, text[at:]))
