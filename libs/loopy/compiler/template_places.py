"""Where the parts of a template's tree stand in its text. A node's `lineno` is an offset: see `template_syntax`."""

import re

from jinja2 import nodes

from loopy.compiler.condition_syntax import unmasked
from loopy.compiler.scope import Part

_LITERAL = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|[\w.]+', re.DOTALL)
_WORD = re.compile(r"\S+")


class Places:
    """The places of one template."""

    def __init__(self, text: str) -> None:
        self.text = text

    def parts(self, node: nodes.Node) -> list[Part]:
        """The names of a dotted reference; empty when the node is something else."""
        links: list[nodes.Getattr] = []
        while isinstance(node, nodes.Getattr):
            links.append(node)
            node = node.node
        if not isinstance(node, nodes.Name):
            return []
        return [Part(unmasked(node.name), node.lineno), *(self.field(link) for link in reversed(links))]

    def field(self, node: nodes.Getattr) -> Part:
        """The name of a field: behind the dot, at which such a node is counted."""
        name = unmasked(node.attr)
        return Part(name, self.text.find(name, node.lineno))

    def stretch(self, node: nodes.Node) -> tuple[int, int]:
        """Offset and width: of the first word where the node is a statement."""
        if isinstance(node, nodes.Stmt):
            return node.lineno, len(self.word(node.lineno))
        start = min((each.lineno for each in node.find_all(nodes.Expr)), default=node.lineno)
        start = min(start, node.lineno)
        return start, max(self._end(node) - start, 1)

    def source(self, node: nodes.Node) -> str:
        """The text of an expression."""
        start, width = self.stretch(node)
        return self.text[start : start + width]

    def word(self, start: int) -> str:
        """The text from an offset to the next blank."""
        found = _WORD.match(self.text, start)
        return found[0] if found else ""

    def test_name(self, node: nodes.Test) -> int:
        """The offset of a test's name: behind the `is`, at which such a node is counted."""
        return self.text.find(node.name, node.lineno + len("is"))

    def _end(self, node: nodes.Node) -> int:
        """The offset behind an expression; behind its whole tag where its end cannot be told."""
        match node:
            case nodes.Name():
                return node.lineno + len(node.name)
            case nodes.Getattr():
                return self.field(node).end
            case nodes.Const():
                literal = _LITERAL.match(self.text, node.lineno)
                return literal.end() if literal else node.lineno + 1
            case nodes.Getitem() if isinstance(node.arg, nodes.Const):
                return self.text.find("]", self._end(node.arg)) + 1
            case nodes.Filter() if not (node.args or node.kwargs):
                return node.lineno + len(node.name)
            case nodes.Test() if not node.args:
                return self.test_name(node) + len(node.name)
            case nodes.Compare():
                return self._end(node.ops[-1].expr)
            case nodes.And() | nodes.Or() | nodes.BinExpr():
                return self._end(node.right)
            case _:
                return self._end_of_tag(node.lineno)

    def _end_of_tag(self, start: int) -> int:
        ends = [at for at in (self.text.find("}}", start), self.text.find("%}", start)) if at >= 0]
        return start + len(self.text[start : min(ends)].rstrip(" -+\n\t")) if ends else start + 1
