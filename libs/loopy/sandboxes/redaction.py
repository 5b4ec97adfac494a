"""Taking secrets out of texts that somebody will read: errors, the ends of logs."""

from collections.abc import Mapping

SHORTEST_SECRET = 4
TELLING_CHARACTERS = 16


def redact(text: str, variables: Mapping[str, str]) -> str:
    """The text with each variable's value replaced by its name in brackets; very short values are no secrets.

    A text may have been cut within a secret, so the beginning of a long one counts too, as far as it reaches.
    """
    for name, value in sorted(variables.items(), key=lambda item: len(item[1]), reverse=True):
        if len(value) >= SHORTEST_SECRET:
            text = _without(text, value, f"[{name}]")
    return text


def _without(text: str, secret: str, instead: str) -> str:
    telling = secret[:TELLING_CHARACTERS]
    pieces: list[str] = []
    begin = 0
    while (found := text.find(telling, begin)) >= 0:
        pieces += (text[begin:found], instead)
        begin = found + _shared(text[found : found + len(secret)], secret)
    return "".join((*pieces, text[begin:]))


def _shared(one: str, other: str) -> int:
    """How many characters two texts have in common before they part."""
    return next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
