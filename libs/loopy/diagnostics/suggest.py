"""Words for messages: the name that was probably meant, names in a row, the article of a word."""

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The name that was probably meant: equal but for case, near in spelling, or longer; None when nothing is near."""
    names = sorted(known)
    folded = {name.casefold(): name for name in names}
    if word.casefold() in folded:
        return folded[word.casefold()]
    from difflib import get_close_matches  # only a mistake pays for it

    close = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return folded[close[0]]
    begins = [name for name in names if len(word) > 1 and name.casefold().startswith(word.casefold())]
    return min(begins, key=len, default=None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The help for a name that is not known, or an empty text."""
    name = nearest(word, known)
    return f"did you mean `{name}`?" if name else ""


def article(word: str) -> str:
    """`a` or `an`, as the word is spelled."""
    return "an" if word[:1].lower() in "aeiou" else "a"


def listed(names: Iterable[str], *, at_most: int = 8) -> str:
    """The names as prose: "`a`, `b` and `c`"; the rest is counted when there are many."""
    quoted = [f"`{name}`" for name in names]
    if len(quoted) > at_most:
        return ", ".join(quoted[:at_most]) + f" and {len(quoted) - at_most} more"
    return " and ".join(filter(None, (", ".join(quoted[:-1]), *quoted[-1:])))
