"""`when` at compile time: every reference exists, what is compared is comparable, and the whole is true or false."""

import ast
from collections.abc import Callable

from loopy.compiler.comparisons import Null, Operand, Operator, comparison_fault, family, literal_type
from loopy.compiler.condition_syntax import CONSTANTS, Unreadable, dotted, parse_condition, unmasked
from loopy.compiler.fault import Fault
from loopy.compiler.scope import NOTHING_KNOWN, Known, Part, Scope
from loopy.types.model import BOOL, UNKNOWN, ListOf, Maybe
from loopy.types.parse import print_type

Report = Callable[[Fault], None]

_OPERATORS: dict[type[ast.cmpop], Operator] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.In: "in", ast.NotIn: "not in",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip


def check_condition(when: str, scope: Scope, report: Report) -> Known:
    """Report each mistake of a condition; returns the references that are there whenever it is true."""
    try:
        tree = parse_condition(when)
        return _Checker(when, scope, report).boolean(tree, NOTHING_KNOWN)
    except Unreadable as exc:
        report(exc.fault)
    except RecursionError:
        report(Fault("LP610", "this condition is nested too deeply", 0, len(when)))
    return NOTHING_KNOWN


class _Checker:
    """One walk over one condition."""

    def __init__(self, text: str, scope: Scope, report: Report) -> None:
        self._text = text
        self._scope = scope
        self._report = report

    def boolean(self, node: ast.expr, known: Known) -> Known:
        """Check what must be true or false; returns what is known where it is true."""
        match node:
            case ast.BoolOp(op=ast.And()):
                for value in node.values:
                    known |= self.boolean(value, known)
                return known
            case ast.BoolOp(op=ast.Or()):
                return known | frozenset.intersection(*(self.boolean(value, known) for value in node.values))
            case ast.UnaryOp(op=ast.Not()):
                self.boolean(node.operand, known)
                return known
            case ast.Compare():
                return known | self._compare(node, known)
            case _:
                operand = self._operand(node, known)
                if operand is not None and family(operand.kind) not in ("bool", "any"):
                    self._report(_not_a_condition(operand))
                return known | _present(operand)

    def _compare(self, node: ast.Compare, known: Known) -> Known:
        left = self._operand(node.left, known)
        shown: Known = NOTHING_KNOWN
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            right = self._operand(comparator, known)
            operator = _OPERATORS.get(type(op))
            if operator is None:
                self._refuse(node, "`is`")
            elif left is not None and right is not None:
                fault = comparison_fault(operator, left, right)
                if fault is not None:
                    self._report(fault)
                shown |= _shown(operator, left, right)
            left = right
        return shown

    def _operand(self, node: ast.expr, known: Known) -> Operand | None:
        """A value to compare; None when it was reported."""
        start, width = self._stretch(node)
        text = self._text[start : start + width]
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None):
                return Operand(literal_type(node.value), text, start, width, literal=True, value=node.value)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return Operand(literal_type(number), text, start, width, literal=True, value=-number)
            case ast.Name(id=name) if name in CONSTANTS:
                value = CONSTANTS[name]
                return Operand(literal_type(value), text, start, width, literal=True, value=value)
            case ast.List() | ast.Tuple() | ast.Set():
                items = tuple(self._operand(item, known) for item in node.elts)
                there = tuple(item for item in items if item is not None)
                return Operand(ListOf(UNKNOWN), text, start, width, literal=True, items=there)
            case ast.BoolOp() | ast.Compare() | ast.UnaryOp(op=ast.Not()):
                self.boolean(node, known)
                return Operand(BOOL, text, start, width)
            case ast.Name() | ast.Attribute():
                return self._reference(node, text, start, width, known)
            case _:
                self._refuse(node, _NAMES.get(type(node), "this"))
                return None

    def _reference(self, node: ast.expr, text: str, start: int, width: int, known: Known) -> Operand | None:
        links = dotted(node)
        if links is None:
            self._refuse(node, "this")
            return None
        parts = [
            Part(unmasked(link.id if isinstance(link, ast.Name) else link.attr), self._name_start(link))
            for link in links
        ]
        if len(parts) == 1 and parts[0].name not in self._scope.steps and parts[0].name != "event":
            self._report(_bare_word(self._scope, parts[0], known))
            return None
        seen = self._scope.look_up(parts, known, self._report)
        return Operand(seen.kind, text, start, width)

    def _name_start(self, link: ast.Name | ast.Attribute) -> int:
        start, width = self._stretch(link)
        return start if isinstance(link, ast.Name) else start + width - len(link.attr)

    def _stretch(self, node: ast.expr) -> tuple[int, int]:
        """Offset and width."""
        return node.col_offset, (node.end_col_offset or node.col_offset) - node.col_offset

    def _refuse(self, node: ast.expr, what: str) -> None:
        start, width = self._stretch(node)
        help_ = "a condition compares fields with literals: == != < <= > >= in and or not, and brackets"
        self._report(Fault("LP614", f"a condition cannot hold {what}", start, width, help=help_))


_NAMES: dict[type[ast.expr], str] = {
    ast.Call: "a call",
    ast.BinOp: "arithmetic",
    ast.Subscript: "an index",
    ast.IfExp: "`if … else`",
    ast.Lambda: "a function",
    ast.JoinedStr: "an f-string",
    ast.Dict: "a map",
}


def _present(operand: Operand | None) -> Known:
    """What is known where this value is true."""
    return frozenset((operand.text,)) if operand is not None and not operand.literal else NOTHING_KNOWN


def _shown(operator: Operator, left: Operand, right: Operand) -> Known:
    """What is known where this comparison holds: a reference that equals a literal, or differs from null, is there."""
    null = isinstance(left.kind, Null) or isinstance(right.kind, Null)
    if operator in ("!=", "not in") and not (operator == "!=" and null):
        return NOTHING_KNOWN
    if operator == "==" and null:
        return NOTHING_KNOWN
    return _present(left) | (_present(right) if operator != "in" else NOTHING_KNOWN)


def _not_a_condition(operand: Operand) -> Fault:
    spelled = "null" if isinstance(operand.kind, Null) else print_type(operand.kind)
    comparison = "!= null" if isinstance(operand.kind, Maybe) else "== …"
    return Fault(
        "LP611",
        f"`{operand.text}` is {spelled}, neither true nor false",
        operand.start,
        operand.width,
        label="not a condition",
        help=f"compare it, as in `{operand.text} {comparison}`" if not operand.literal else "compare a field with it",
    )


def _bare_word(scope: Scope, part: Part, known: Known) -> Fault:
    """A name that is no reference: a field without its step, or a text without quotation marks."""
    faults: list[Fault] = []
    scope.look_up([part], known, faults.append)
    fault = faults[0]
    if fault.help.startswith("write `event.<field>`"):
        help_ = f'text needs quotation marks: `"{part.name}"`'
        return Fault(fault.code, fault.headline, fault.start, fault.width, fault.label, help=help_)
    return fault
