"""Which subjects a filter selects: `*` stands for one token, `>` for one or more at the end."""

from functools import lru_cache

ONE, REST = "*", ">"


def matches(wanted: str, subject: str) -> bool:
    """Whether a filter, or a literal subject, selects a subject."""
    return wanted == subject or matches_any((wanted,), subject)


@lru_cache(maxsize=1 << 16)
def matches_any(wanted: tuple[str, ...], subject: str) -> bool:
    """Whether one of the filters selects a subject."""
    tokens = subject.split(".")
    return any(_selects(one.split("."), tokens) for one in wanted)


def literals(wanted: str) -> list[tuple[int, str]]:
    """The tokens that every subject has which a filter selects, each with its place."""
    return [(place, token) for place, token in enumerate(wanted.split(".")) if token not in (ONE, REST)]


def _selects(wanted: list[str], tokens: list[str]) -> bool:
    if wanted[-1] == REST:
        wanted = wanted[:-1]
        tokens, rest = tokens[: len(wanted)], tokens[len(wanted) :]
        if not rest:
            return False
    return len(wanted) == len(tokens) and all(want in (ONE, token) for want, token in zip(wanted, tokens, strict=True))
