"""`when` as a syntax tree: Python's own parser, a fixed set of nodes, and names with hyphens as authors write them."""

import ast
import keyword
import re
from functools import lru_cache

from loopy.compiler.fault import Fault

HYPHEN = "·"
"""Stands for `-` inside a name while Python parses it; a character of identifiers that no name of a project has."""

MAX_LENGTH = 2000

CONSTANTS = {"true": True, "false": False, "null": None, "none": None, "True": True, "False": False, "None": None}

_TEXT_OR_NAME = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<name>[^\W\d]\w*(?:-\w+)*(?:\.[^\W\d]\w*(?:-[^\W\d]\w*)*)*)"""
)
_WORDS = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<word>[^\W\d]\w*)|(?P<sign>=+|&&|\|\||!=?|[<>]=?)"""
)
_PYTHON_ONLY = frozenset(keyword.kwlist) - {"and", "or", "not", "in", "True", "False", "None"}
_INSTEAD = {"=": "==", "===": "==", "&&": "and", "||": "or", "!": "not", "is": "=="}


class Unreadable(Exception):
    """A text that is no condition; `fault` says why and where."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.headline)
        self.fault = fault


@lru_cache(maxsize=4096)
def parse_condition(text: str) -> ast.expr:
    """The tree of a condition; the columns in it are offsets in `text`, in characters. Raises Unreadable."""
    if len(text) > MAX_LENGTH:
        raise Unreadable(Fault("LP610", f"a condition has at most {MAX_LENGTH} characters", 0, len(text)))
    wrong = _foreign_word(text)
    if wrong is not None:
        raise Unreadable(wrong)
    masked = " ".join(_TEXT_OR_NAME.sub(_masked, text).splitlines())
    body = masked.lstrip()
    try:
        return _in_characters(ast.parse(body, mode="eval").body, body, len(masked) - len(body))
    except SyntaxError as exc:
        # Python gives the offset 0 where the text ends too early.
        offset = exc.offset - 1 + len(masked) - len(body) if exc.offset else len(text)
        raise Unreadable(_syntax_fault(text, min(offset, len(text)), exc.msg)) from None
    except (ValueError, RecursionError, MemoryError):
        raise Unreadable(Fault("LP610", "this condition cannot be read", 0, len(text))) from None


def unmasked(name: str) -> str:
    """The name as the author wrote it."""
    return name.replace(HYPHEN, "-")


def dotted(node: ast.expr) -> list[ast.Name | ast.Attribute] | None:
    """The links of `a.b.c`, first to last; None when the node is not a reference."""
    links: list[ast.Name | ast.Attribute] = []
    while isinstance(node, ast.Attribute):
        links.append(node)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return [node, *reversed(links)]


def _masked(match: re.Match[str]) -> str:
    return match[0] if match["text"] else match[0].replace("-", HYPHEN)


def _in_characters(tree: ast.expr, body: str, indent: int) -> ast.expr:
    """Columns as offsets in the author's text: Python counts bytes of UTF-8, and saw no leading blanks."""
    data = body.encode()

    def offset(column: int) -> int:
        return indent + (column if len(data) == len(body) else len(data[:column].decode()))

    for node in ast.walk(tree):
        if isinstance(node, ast.expr):
            node.col_offset = offset(node.col_offset)
            node.end_col_offset = offset(node.end_col_offset or 0)
    return tree


def _foreign_word(text: str) -> Fault | None:
    """A word or sign of another language, which would give a message about syntax that helps no one."""
    for match in _WORDS.finditer(text):
        word = match["word"] or match["sign"]
        before, after = text[: match.start()][-1:], text[match.end() :][:1]
        if word is None or before in (".", "-") or after in (".", "-"):
            continue
        if word in _INSTEAD:
            return Fault(
                "LP610", f"`{word}` is not an operator here", match.start(), len(word), help=f"write `{_INSTEAD[word]}`"
            )
        if word in _PYTHON_ONLY:
            headline = f"`{word}` is not a value"
            return Fault("LP610", headline, match.start(), len(word), help=f'text needs quotation marks: `"{word}"`')
    return None


def _syntax_fault(text: str, offset: int, message: str) -> Fault:
    """What Python says, at the place where it stopped; at the end of the text, something is missing."""
    if not text.strip():
        return Fault("LP610", "this condition is empty", 0, 1)
    if offset >= len(text.rstrip()):
        return Fault(
            "LP610",
            "this condition ends too early",
            max(len(text.rstrip()) - 1, 0),
            1,
            "something is missing behind this",
        )
    known = (
        "was never closed" in message
        or "does not match" in message
        or "unterminated" in message
        or "unmatched" in message
    )
    return Fault("LP610", f"this condition cannot be read: {message if known else 'unexpected here'}", offset, 1)
