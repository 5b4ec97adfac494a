"""Which subjects a filter selects: `*` stands for one token, `>` for one or more at the end."""

import re
from functools import lru_cache


def matches(wanted: str, subject: str) -> bool:
    """Whether a filter, or a literal subject, selects a subject."""
    return wanted == subject or (("*" in wanted or ">" in wanted) and _pattern(wanted).fullmatch(subject) is not None)


def matches_any(wanted: tuple[str, ...], subject: str) -> bool:
    """Whether one of the filters selects a subject."""
    return any(matches(one, subject) for one in wanted)


@lru_cache(maxsize=4096)
def _pattern(wanted: str) -> re.Pattern[str]:
    tokens = {"*": r"[^.]+", ">": r".+"}
    return re.compile(r"\.".join(tokens.get(token, re.escape(token)) for token in wanted.split(".")))
