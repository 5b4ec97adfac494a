"""What Jinja's parser says of a text that is no template, in the words of the language."""

import re
from collections.abc import Callable

from loopy.diagnostics.suggest import did_you_mean

TAGS = ("if", "elif", "else", "endif", "for", "endfor")
_INNERMOST = re.compile(r"needs to be closed is '(\w+)'")
_ENDS = ("end of print statement", "end of statement block")

Told = tuple[str, str]
"""A headline, and a help or an empty text."""


def in_words(message: str) -> Told:
    """The headline and help for a message of Jinja's."""
    for pattern, tell in _TELLERS:
        if found := pattern.search(message):
            return tell(found)
    return f"this template cannot be read: {message or 'something is wrong here'}", ""


def _tag(found: re.Match[str]) -> Told:
    name = found[1]
    if name not in TAGS:
        return f"there is no tag `{name}`", did_you_mean(name, TAGS) or "the tags are `{% if %}` and `{% for %}`"
    if opened := _INNERMOST.search(found.string):
        return f"`{{% {name} %}}` stands where `{{% {opened[1]} %}}` is still open", f"write `{{% end{opened[1]} %}}`"
    begins = "for" if name == "endfor" else "if"
    return f"`{{% {name} %}}` belongs to no `{{% {begins} %}}`", "remove it, or open the block that it belongs to"


def _nothing(_: re.Match[str]) -> Told:
    return "something is missing here", "name a value, as in `{{ event.title }}` or `{% if fix.passed %}`"


def _superfluous(found: re.Match[str]) -> Told:
    if found[1] in _ENDS:
        return _nothing(found)
    if found[1] == "=":
        return "`=` is not an operator here", "write `==`"
    return f"`{found[1]}` does not belong here", "a filter comes after `|`, a text stands in quotation marks"


def _no_in(_: re.Match[str]) -> Told:
    return "this loop lacks its `in`", "write `{% for item in step.items %}`"


def _no_tag(_: re.Match[str]) -> Told:
    return "this tag is empty", "write `{% if … %}`, `{% for … in … %}`, or remove it"


_TELLERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Told]], ...] = (
    (re.compile(r"unknown tag '(.+?)'"), _tag),
    (re.compile(r"^[Tt]ag name expected"), _no_tag),
    (re.compile(r"^Expected an expression, got 'end of"), _nothing),
    (re.compile(r"^expected token 'in'"), _no_in),
    (re.compile(r"got '(.+)'$"), _superfluous),
    (re.compile(r"^unexpected char '(.+)'$"), _superfluous),
    (re.compile(r"^unexpected '(.+?)'"), _superfluous),
)
