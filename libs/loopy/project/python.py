"""Python files of a project, read from their syntax tree: nothing of them is ever imported or run."""

import ast
import re
import warnings
from collections.abc import Iterator
from typing import Literal, TypeAlias

from loopy.diagnostics.diagnostic import Diagnostic
from loopy.diagnostics.span import Span
from loopy.project.model import Located, Word

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Kind: TypeAlias = Literal["sensor", "tool"]
KINDS: tuple[Kind, ...] = ("sensor", "tool")

_EVENTS = "loopy.events"
_MODULES = ("loopy", "loopy.authoring")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class Decorated:
    """A function under `@sensor` or `@tool`; `call` is None where the decorator stands without brackets."""

    def __init__(self, kind: Kind, function: Function, decorator: ast.expr) -> None:
        self.kind = kind
        self.function = function
        self.decorator = decorator
        self.call = decorator if isinstance(decorator, ast.Call) else None


class PythonFile:
    """One file and what in it is Loopy's. What is wrong with the file as a whole is in `diagnostics`."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.diagnostics: list[Diagnostic] = []
        self._lines = text.split("\n")
        tree = self._parse(text)
        self._names = _imported(tree) if tree else {}
        self._bound = _bound(tree) if tree else set()
        self.decorated = list(self._decorated(tree)) if tree else []
        self.event_classes = list(self._event_classes(tree)) if tree else []

    def span(self, node: ast.expr | ast.stmt | ast.keyword | ast.alias) -> Span:
        """A node's place; the tree counts in bytes of UTF-8, we in characters."""
        end_line, end_offset = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        start, end = self._column(node.lineno, node.col_offset), self._column(end_line, end_offset)
        return Span(self.path, node.lineno, start, end_line, end)

    def name(self, function: Function) -> Word:
        """A function's name and its place."""
        line = self._lines[function.lineno - 1]
        start = self._column(function.lineno, function.col_offset) - 1
        found = re.compile(r"(?:async\s+)?def\s+").match(line, start)
        column = (found.end() if found else start) + 1
        return Located(function.name, Span.of(self.path, function.lineno, column, len(function.name)))

    def report(self, code: str, headline: str, span: Span, label: str = "", *, hint: str = "") -> None:
        """One diagnostic of this file."""
        self.diagnostics.append(Diagnostic(code, headline, span, label, help=hint))

    def _event_classes(self, tree: ast.Module) -> Iterator[Word]:
        """The names that the file imports from `loopy.events`."""
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == _EVENTS and not node.level:
                for alias in node.names:
                    place = self.span(alias)
                    if alias.name != "*":
                        yield Located(alias.name, Span.of(self.path, place.line, place.column, len(alias.name)))

    def _column(self, line: int, offset: int) -> int:
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        return offset + 1 if text.isascii() else len(text.encode()[:offset].decode(errors="ignore")) + 1

    def _parse(self, text: str) -> ast.Module | None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(text)
        except SyntaxError as error:
            self._syntax_error(error)
        except (ValueError, RecursionError, MemoryError):
            self.report("LP701", f"`{self.path}` cannot be parsed as Python", Span(self.path))
        return None

    def _syntax_error(self, error: SyntaxError) -> None:
        line = min(max(error.lineno or 1, 1), len(self._lines))
        length = len(self._lines[line - 1])
        column = min(max(error.offset or 1, 1), length + 1)
        width = (error.end_offset or 0) - (error.offset or 0) if error.end_lineno == error.lineno else 1
        span = Span.of(self.path, line, column, max(0, min(max(width, 1), length + 1 - column)))
        self.report("LP701", f"Python cannot read this: {error.msg}", span, "syntax error")

    def _decorated(self, tree: ast.Module) -> Iterator[Decorated]:
        for node, at_top in _definitions(tree.body, at_top=True):
            for decorator in node.decorator_list:
                kind = self._kind(decorator)
                if kind is None or not self._usable(kind, node, decorator, at_top=at_top):
                    continue
                assert not isinstance(node, ast.ClassDef)
                yield Decorated(kind, node, decorator)

    def _kind(self, decorator: ast.expr) -> Kind | None:
        name = _dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)
        first, _, rest = name.partition(".")
        if first in self._names:
            name = self._names[first] + ("." + rest if rest else "")
            return next((kind for kind in KINDS for module in _MODULES if name == f"{module}.{kind}"), None)
        if name in KINDS and name not in self._bound:
            hint = f"add `from loopy import {name}`"
            self.report("LP710", f"`{name}` is not imported", self.span(decorator), "unknown name", hint=hint)
        return None

    def _usable(self, kind: Kind, node: Function | ast.ClassDef, decorator: ast.expr, *, at_top: bool) -> bool:
        if isinstance(node, ast.ClassDef):
            self.report("LP710", f"`@{kind}` is for functions, not classes", self.span(decorator), "on a class")
        elif not at_top:
            hint = "move the function to the top level of the file"
            self.report(
                "LP710",
                f"`{node.name}` is not at the top level of its file: its `@{kind}` is not found",
                self.span(decorator),
                "nested",
                hint=hint,
            )
        elif not _IDENTIFIER.fullmatch(node.name):
            label = "expected at most 64 ASCII letters, digits and `_`"
            self.report("LP710", f"a {kind} cannot be called `{node.name}`", self.name(node).span, label)
        else:
            return True
        return False


def _definitions(body: list[ast.stmt], *, at_top: bool) -> Iterator[tuple[Function | ast.ClassDef, bool]]:
    """Every function and class, and whether it stands at the top level (an `if` or `try` around it does not count)."""
    waiting = [(statement, at_top) for statement in reversed(body)]
    while waiting:
        node, top = waiting.pop()
        inner_top = top
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node, top
            inner_top = False
        inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt | ast.excepthandler)]
        waiting += [(child, inner_top) for child in reversed(inner)]  # type: ignore[misc]  # handlers hold statements


def _imported(tree: ast.Module) -> dict[str, str]:
    """Local name → what it names in `loopy`, by the file's imports."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in _MODULES:
                    names[alias.asname or "loopy"] = alias.name if alias.asname else "loopy"
        elif isinstance(node, ast.ImportFrom) and node.module in _MODULES and not node.level:
            for alias in node.names:
                wanted = KINDS if alias.name == "*" else (alias.name,)
                names.update({alias.asname or name: f"{node.module}.{name}" for name in wanted})
    return names


def _bound(tree: ast.Module) -> set[str]:
    """Names that the file itself gives a meaning, by definition, assignment or an import from elsewhere."""
    bound = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    bound |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    aliases = {alias.asname or alias.name for node in imports for alias in node.names}
    return bound | aliases | (set(KINDS) if "*" in aliases else set())


def _dotted(node: ast.expr) -> str:
    """`loopy.sensor` of such an expression; empty for any other."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id])) if isinstance(node, ast.Name) else ""
