"""The grammar of a type on one line, and what is said where a text departs from it."""

import re
from typing import Literal, NoReturn, TypeAlias

from loopy.diagnostics.suggest import nearest
from loopy.types.model import SCALARS, Enum, ListOf, MapOf, Maybe, Scalar, Type

Fault: TypeAlias = Literal["name", "form", "enum"]

MAX_DEPTH = 32
GENERICS = ("enum", "list", "map")

# What authors write who know another language; each has one spelling here.
SYNONYMS = {
    "string": "str", "text": "str", "varchar": "str", "char": "str",
    "integer": "int", "long": "int", "int32": "int", "int64": "int",
    "number": "float", "double": "float", "decimal": "float", "real": "float",
    "boolean": "bool", "uri": "url", "link": "url", "uuid": "id", "identifier": "id",
    "timestamp": "datetime", "date": "datetime", "time": "datetime", "timedelta": "duration",
    "any": "json", "object": "json", "dict": "map", "array": "list", "literal": "enum", "choice": "enum",
}  # fmt: skip

_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[^\s\[\],?]+")
_MEMBER = re.compile(r"[^\[\],?]+")
_BAD_IN_MEMBER = re.compile(r"[{}\"'\x00-\x1f\x7f]")


class TypeSyntaxError(ValueError):
    """A type that cannot be read: which stretch of the text is wrong, and what was probably meant.

    `fault` is `name` (no such type), `enum` (its members are wrong) or `form` (brackets, commas, question marks).
    """

    def __init__(
        self, message: str, offset: int, width: int, suggestion: str | None = None, fault: Fault = "form"
    ) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.width = width
        self.suggestion = suggestion
        self.fault = fault


class TypeText:
    """One text that is being read from left to right; `whole` gives its type or raises TypeSyntaxError."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def whole(self) -> Type:
        kind = self.type()
        if self.at < len(self.text):
            self.fail_at_rest()
        return kind

    def type(self) -> Type:
        self.space()
        kind = self.bare()
        if self.take("?"):
            kind = Maybe(kind)
            if self.peek() == "?":
                self.fail("`?` is written once", self.at, 1)
        self.space()
        return kind

    def bare(self) -> Type:
        start = self.at
        word = _WORD.match(self.text, start)
        if word is None:
            self.fail("a type is missing here", start, 1 if start < len(self.text) else 0)
        if word[0].startswith("{"):
            self.fail("a record cannot stand inside of a type on one line", start, 1)
        self.at = word.end()
        if self.peek() == "[":
            return self.generic(word[0], start)
        if word[0] in SCALARS:
            return Scalar(word[0])
        return self.unknown(word[0], start)

    def generic(self, word: str, start: int) -> Type:
        opening = self.at
        self.at += 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"types nest at most {MAX_DEPTH} deep", opening, 1)
        match word:
            case "enum":
                return self.enum(opening)
            case "list":
                return ListOf(self.argument(opening))
            case "map":
                return MapOf(self.argument(opening))
        return self.not_generic(word, start)

    def argument(self, opening: int) -> Type:
        kind = self.type()
        if self.peek() == ",":
            self.fail("`list` and `map` take one type; keys of a map are always text", self.at, 1)
        self.close(opening)
        return kind

    def enum(self, opening: int) -> Enum:
        members: dict[str, None] = {}
        while True:
            members[self.member(members, opening)] = None
            if not self.take(","):
                break
        self.close(opening)
        return Enum(tuple(members))

    def member(self, earlier: dict[str, None], opening: int) -> str:
        found = _MEMBER.match(self.text, self.at)
        raw = found[0] if found else ""
        name = raw.strip()
        start = self.at + len(raw) - len(raw.lstrip())
        if not name:
            self.no_member(opening, first=not earlier)
        if bad := _BAD_IN_MEMBER.search(name):
            bare = _BAD_IN_MEMBER.sub("", name)
            message = (
                f"members of an enum are bare words, without `{bad[0]}`"
                if bad[0].isprintable()
                else ("members of an enum hold no control characters")
            )
            self.fail(message, start, len(name), bare or None, "enum")
        if name in earlier:
            self.fail(f"`{name}` is a member already", start, len(name), None, "enum")
        self.at += len(raw)
        return name

    def no_member(self, opening: int, *, first: bool) -> NoReturn:
        if first and self.peek() == "]":
            self.fail("an enum needs at least one member", opening, self.at + 1 - opening, None, "enum")
        if self.at >= len(self.text):
            self.fail("`[` is never closed", opening, 1)
        self.fail("a member is missing here", self.at, 1, None, "enum")

    def close(self, opening: int) -> None:
        self.space()
        self.depth -= 1
        if self.at >= len(self.text):
            self.fail("`[` is never closed", opening, 1)
        if not self.take("]"):
            self.fail_at_rest()

    def not_generic(self, word: str, start: int) -> NoReturn:
        if self.text.startswith("[]", self.at - 1):
            self.fail("a list is written `list[…]`", start, self.at + 1 - start, f"list[{_meant(word) or word}]")
        if word.lower() == "optional":
            inner = self.text[self.at :].split("]")[0]
            self.fail("an optional value is written with `?`", start, len(word), f"{inner}?", "name")
        meant = _meant(word)
        if word in SCALARS:
            self.fail(f"`{word}` takes no `[…]`", self.at - 1, 1)
        self.fail(f"no type `{word}[…]`", start, len(word), meant if meant in GENERICS else None, "name")

    def unknown(self, word: str, start: int) -> NoReturn:
        if word in GENERICS:
            example = {"enum": "enum[a, b]", "list": "list[str]", "map": "map[str]"}[word]
            self.fail(f"`{word}` needs `[…]`", start, len(word), example)
        self.fail(f"no type `{word}`", start, len(word), _meant(word), "name")

    def fail_at_rest(self) -> NoReturn:
        rest = self.text[self.at :].rstrip()
        if rest.startswith("|"):
            inner = self.text[: self.at].strip()
            self.fail("an optional value is written with `?`", self.at, len(rest), f"{inner}?")
        if rest.startswith("]"):
            self.fail("`]` closes nothing", self.at, 1)
        self.fail(f"`{rest}` does not belong to a type", self.at, len(rest))

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, character: str) -> bool:
        found = self.peek() == character
        self.at += found
        return found

    def space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    def fail(
        self, message: str, offset: int, width: int, suggestion: str | None = None, fault: Fault = "form"
    ) -> NoReturn:
        raise TypeSyntaxError(message, offset, width, suggestion, fault)


def _meant(word: str) -> str | None:
    """The type that a wrong word stands for."""
    folded = word.lower()
    return SYNONYMS.get(folded) or nearest(folded, (*SCALARS, *GENERICS))
