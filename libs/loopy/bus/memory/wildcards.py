"""Which subjects a filter selects: `*` stands for one token, `>` for one or more at the end."""

import re
from functools import lru_cache

_TOKENS = {"*": r"[^.]+", ">": r".+"}


def matches(wanted: str, subject: str) -> bool:
    """Whether a filter, or a literal subject, selects a subject."""
    return wanted == subject or matches_any((wanted,), subject)


@lru_cache(maxsize=1 << 16)
def matches_any(wanted: tuple[str, ...], subject: str) -> bool:
    """Whether one of the filters selects a subject."""
    return _pattern(wanted).fullmatch(subject) is not None


@lru_cache(maxsize=4096)
def _pattern(wanted: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(r"\.".join(_TOKENS.get(t, re.escape(t)) for t in one.split(".")) for one in wanted))
