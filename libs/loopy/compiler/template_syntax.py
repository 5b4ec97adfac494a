"""Prose as a template: Jinja's own lexer and parser, with exact places and names with hyphens.

Jinja's tree knows lines alone. Here each token is numbered by its offset instead of its line before the parser sees it,
so that every node's `lineno` is the offset of its first character in the text.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from jinja2 import TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from loopy.compiler.condition_syntax import HYPHEN
from loopy.compiler.fault import Fault
from loopy.compiler.template_words import in_words

_RAW = ImmutableSandboxedEnvironment(keep_trailing_newline=True)
_POSITION = re.compile(r" at (\d+)$")
_BLOCKS = ("if", "for")


class BadTemplate(Exception):
    """A text that is no template; `fault` says why and where."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.headline)
        self.fault = fault


@lru_cache(maxsize=64)
def parse_template(text: str) -> nodes.Template:
    """The tree of a template. The `lineno` of each node is an offset in `text` (with `\\n` line ends). BadTemplate."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    tokens: list[Token] = []
    try:
        tokens.extend(_joined(_RAW.lexer.wrap(_by_offset(text))))
        parser = Parser(_RAW, "")
        parser.stream = TokenStream(iter(tokens), None, None)
        return parser.parse()
    except TemplateSyntaxError as exc:
        raise BadTemplate(_fault(text, tokens, exc)) from None
    except RecursionError:
        raise BadTemplate(Fault("LP601", "this prose is nested too deeply", 0, len(text))) from None


def _by_offset(text: str) -> Iterator[tuple[int, str, str]]:
    """Jinja's raw tokens, each with its offset where the line was. What `{%-` strips is stepped over."""
    position = 0
    try:
        for _, token, value in _RAW.lexer.tokeniter(text, None):
            while text[position : position + len(value)] != value:
                position += 1
            yield position, token, value
            position += len(value)
    except TemplateSyntaxError as exc:
        at = _POSITION.search(exc.message or "")
        exc.lineno = int(at[1]) if at else position
        raise


def _joined(tokens: Iterable[Token]) -> Iterator[Token]:
    """Names with hyphens as one name: `scan-deps.report` where nothing stands between the words and the hyphens."""
    name: Token | None = None
    hyphen: Token | None = None
    for token in tokens:
        if name is not None and hyphen is None and token.type == "sub" and token.lineno == _end(name):
            hyphen = token
            continue
        if name is not None and hyphen is not None:
            if token.type in ("name", "integer") and token.lineno == hyphen.lineno + 1:
                name = Token(name.lineno, "name", f"{name.value}{HYPHEN}{token.value}")
                hyphen = None
                continue
            yield name
            yield hyphen
            name = hyphen = None
        if name is not None:
            yield name
        name = token if token.type == "name" else None
        if name is None:
            yield token
    yield from (token for token in (name, hyphen) if token is not None)


def _end(name: Token) -> int:
    return name.lineno + len(name.value)


def _fault(text: str, tokens: list[Token], exc: TemplateSyntaxError) -> Fault:
    """Jinja's complaint in our words, at the place that must be mended."""
    message = _POSITION.sub("", exc.message or "")
    start = min(exc.lineno, max(len(text) - 1, 0))
    if message == "Missing end of comment tag":
        opening = text.rindex("{#", 0, start + 2)
        help_ = 'close it with `#}`; where no comment is meant, write `{{ "{#" }}`'
        return Fault("LP601", "`{#` begins a comment that is never closed", opening, 2, help=help_)
    if "end of template" not in message.lower():
        headline, help_ = in_words(message)
        return Fault("LP601", headline, start, _width(tokens, start), help=help_)
    opened = _unclosed_block(tokens)
    if opened is not None:
        headline = f"`{{% {opened.value} … %}}` is never closed"
        return Fault(
            "LP601", headline, opened.lineno, len(opened.value), help=f"close it with `{{% end{opened.value} %}}`"
        )
    begins = [token for token in tokens if token.type in ("variable_begin", "block_begin")]
    start = begins[-1].lineno if begins else 0
    close = "}}" if begins and begins[-1].type == "variable_begin" else "%}"
    return Fault("LP601", f"`{text[start : start + 2]}` is never closed", start, 2, help=f"close it with `{close}`")


def _width(tokens: list[Token], start: int) -> int:
    return next((len(str(token.value)) for token in tokens if token.lineno == start and token.type == "name"), 1)


def _unclosed_block(tokens: list[Token]) -> Token | None:
    """The tag of the innermost block that is still open at the end of a text whose last tag is complete."""
    opened: list[Token] = []
    last = ""
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type in ("variable_begin", "variable_end", "block_begin", "block_end"):
            last = token.type
        if before is None or before.type != "block_begin" or token.type != "name":
            continue
        if token.value in _BLOCKS:
            opened.append(token)
        elif opened and token.value == f"end{opened[-1].value}":
            opened.pop()
    return opened[-1] if opened and last.endswith("_end") else None
