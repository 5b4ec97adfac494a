"""`did you mean …?`"""

from collections.abc import Iterable


def closest(word: str, among: Iterable[str]) -> str | None:
    """The name that `word` was most likely meant to be, or None when none is near."""
    from difflib import get_close_matches  # only when something is wrong

    names = list(among)
    by_fold = {name.casefold(): name for name in names}
    if word.casefold() in by_fold:
        return by_fold[word.casefold()]
    return next(iter(get_close_matches(word, names, n=1, cutoff=0.6)), None)


def did_you_mean(word: str, among: Iterable[str]) -> str:
    """One sentence of help that names the nearest of `among`, or nothing."""
    name = closest(word, among)
    return f"did you mean `{name}`?" if name else ""
