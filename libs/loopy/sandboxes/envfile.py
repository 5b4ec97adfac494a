"""Env files: the variables that a sandbox is given. The grammar is small, and no message quotes what a line holds.

    # a comment, on a line of its own or after white space
    KEY=plain text up to the end of the line
    export KEY="quoted: \\n \\t \\" \\\\ \\$ are escapes"
    KEY='quoted: nothing is an escape'

A value ends on the line where it begins. Nothing is expanded: `$HOME` stays as it is written.
"""

import re

_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)", re.DOTALL)
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"[ \t]*(?:#.*)?')
_SINGLE = re.compile(r"'([^']*)'[ \t]*(?:#.*)?")
_PLAIN_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


class EnvFileError(ValueError):
    """A line that is not of the grammar. The text names the line's number, never its content."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


def parse_env(data: bytes) -> dict[str, str]:
    """The variables of an env file; of two with one name the later stands. EnvFileError."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EnvFileError(data.count(b"\n", 0, error.start) + 1, "is not UTF-8") from None
    variables: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        written = line.strip()
        if written and not written.startswith("#"):
            name, value = _assignment(written, number)
            variables[name] = value
    return variables


def _assignment(written: str, number: int) -> tuple[str, str]:
    match = _ASSIGNMENT.fullmatch(written)
    if match is None:
        raise EnvFileError(number, "expected NAME=VALUE, where NAME has letters, digits and underscores")
    if "\0" in written:
        raise EnvFileError(number, "holds a NUL character, which no variable can")
    return match[1], _value(match[2], number)


def _value(written: str, number: int) -> str:
    if not written.startswith(('"', "'")):
        return _PLAIN_COMMENT.sub("", written).rstrip()
    double = written.startswith('"')
    match = (_DOUBLE if double else _SINGLE).fullmatch(written)
    if match is None:
        raise EnvFileError(number, "the quoted value must end on its line, with nothing but a comment after it")
    return _ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]), match[1]) if double else match[1]
