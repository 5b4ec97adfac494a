"""The rich part of prose: filters, `{% if %}` and `{% for %}`, checked on Jinja's tree (see `template_syntax`)."""

from collections.abc import Callable, Mapping

from jinja2 import nodes

from loopy.compiler.comparisons import Null, Operand, Operator, comparison_fault, literal_type
from loopy.compiler.fault import Fault
from loopy.compiler.filters import filter_result
from loopy.compiler.prose import warn_of_skipped
from loopy.compiler.scope import EVENT, NOTHING_KNOWN, Known, Part, Scope, Seen, Source, descend, optional
from loopy.compiler.template_places import Places
from loopy.compiler.template_syntax import BadTemplate, parse_template
from loopy.compiler.templates import compiled
from loopy.diagnostics.suggest import did_you_mean
from loopy.types.model import BOOL, INT, UNKNOWN, Fragment, ListOf, Maybe, Record, Scalar, Type, Unknown
from loopy.types.parse import print_type

LOOP = Record((("index", INT), ("index0", INT), ("first", BOOL), ("last", BOOL), ("length", INT)))

_OPERATORS: dict[str, Operator] = {
    "eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">=", "in": "in", "notin": "not in",
}  # fmt: skip
_TESTS = ("defined", "undefined", "none")

Locals = Mapping[str, Type]


def check_tree(text: str, scope: Scope, known: Known, report: Callable[[Fault], None]) -> None:
    """Report each mistake of a template that holds more than simple references."""
    faults: list[Fault] = []
    try:
        tree = parse_template(text)
        _Checker(text, scope, faults.append).body(tree.body, {}, known)
        if not faults:
            compiled(text)
    except BadTemplate as exc:
        faults.append(exc.fault)
    except (RecursionError, SyntaxError):
        faults.append(Fault("LP601", "this prose is nested too deeply", 0, 1))
    for fault in faults:
        report(fault)


class _Checker:
    """One walk over one template. `names` are the variables of the loops around, `known` what conditions have shown."""

    def __init__(self, text: str, scope: Scope, report: Callable[[Fault], None]) -> None:
        self._places = Places(text)
        self._scope = scope
        self._report = report

    def body(self, statements: list[nodes.Node], names: Locals, known: Known) -> None:
        """Check statements in order."""
        for statement in statements:
            match statement:
                case nodes.Output():
                    for node in statement.nodes:
                        self._print(node, names, known)
                case nodes.If():
                    self._branch(statement, names, known)
                case nodes.For():
                    self._loop(statement, names, known)
                case _:
                    self._refuse(statement, f"`{{% {self._places.word(statement.lineno)} %}}`")
                    names = {**names, **_defined(statement)}

    def _print(self, node: nodes.Expr, names: Locals, known: Known) -> None:
        if isinstance(node, nodes.TemplateData):
            return
        seen = self._value(node, names, known)
        parts = self._places.parts(node)
        if parts:
            warn_of_skipped(seen, parts, self._report)

    def _branch(self, statement: nodes.If, names: Locals, known: Known) -> None:
        holds, fails = self._test(statement.test, names, known)
        self.body(statement.body, names, known | holds)
        known |= fails
        for other in statement.elif_:
            holds, fails = self._test(other.test, names, known)
            self.body(other.body, names, known | holds)
            known |= fails
        self.body(statement.else_, names, known)

    def _loop(self, statement: nodes.For, names: Locals, known: Known) -> None:
        seen = self._value(statement.iter, names, known)
        if statement.recursive or not isinstance(statement.target, nodes.Name):
            self._refuse(statement.target, "a loop of this kind", "write `{% for item in a.list %}`")
            return
        item = self._item(seen, statement.iter)
        inner = {**names, statement.target.name: item, "loop": LOOP}
        if statement.test is not None:
            known |= self._test(statement.test, inner, known)[0]
        self.body(statement.body, inner, known)
        self.body(statement.else_, names, known)

    def _item(self, seen: Seen, node: nodes.Node) -> Type:
        start, width = self._places.stretch(node)
        text = self._places.source(node)
        kind = seen.kind
        if isinstance(kind, Maybe):
            help_ = f"write `{{% for … in {text} | default([]) %}}`"
            self._report(Fault("LP606", f"`{text}` may be null", start, width, "optional value", help=help_))
            kind = kind.inner
        if isinstance(kind, ListOf):
            return kind.item
        if not isinstance(kind, Unknown | Fragment | Scalar) or (isinstance(kind, Scalar) and kind.name != "json"):
            headline = f"`{text}` is of type {print_type(kind)}; `{{% for %}}` goes through a list"
            self._report(Fault("LP605", headline, start, width, "not a list"))
        return UNKNOWN

    def _test(self, node: nodes.Node, names: Locals, known: Known) -> tuple[Known, Known]:
        """Check a condition; returns what is known where it holds and where it does not."""
        match node:
            case nodes.And():
                left = self._test(node.left, names, known)[0]
                return left | self._test(node.right, names, known | left)[0], NOTHING_KNOWN
            case nodes.Or():
                left, failed = self._test(node.left, names, known)
                right, failed_too = self._test(node.right, names, known | failed)
                return left & right, failed | failed_too
            case nodes.Not():
                holds, fails = self._test(node.node, names, known)
                return fails, holds
            case nodes.Test():
                there = self._presence(node, names, known)
                return (there, NOTHING_KNOWN) if node.name == "defined" else (NOTHING_KNOWN, there)
            case nodes.Compare():
                return self._comparison(node, names, known), NOTHING_KNOWN
            case _:
                return _there(self._value(node, names, known)), NOTHING_KNOWN

    def _presence(self, node: nodes.Test, names: Locals, known: Known) -> Known:
        if node.name not in _TESTS:
            start = self._places.test_name(node)
            help_ = did_you_mean(node.name, _TESTS) or "the tests are `defined`, `undefined` and `none`"
            self._report(Fault("LP602", f"there is no test `{node.name}`", start, len(node.name), help=help_))
        return _there(self._value(node.node, names, known))

    def _comparison(self, node: nodes.Compare, names: Locals, known: Known) -> Known:
        left = self._operand(node.expr, names, known)
        shown: Known = NOTHING_KNOWN
        for each in node.ops:
            right = self._operand(each.expr, names, known)
            operator = _OPERATORS[each.op]
            fault = comparison_fault(operator, left, right)
            if fault is not None:
                self._report(fault)
            if operator in ("==", "<", "<=", ">", ">=") and not isinstance(right.kind, Null):
                shown |= frozenset((left.text,)) if not left.literal else NOTHING_KNOWN
            left = right
        return shown

    def _operand(self, node: nodes.Expr, names: Locals, known: Known) -> Operand:
        start, width = self._places.stretch(node)
        text = self._places.source(node)
        if isinstance(node, nodes.List | nodes.Tuple):
            items = tuple(self._operand(item, names, known) for item in node.items)
            return Operand(ListOf(UNKNOWN), text, start, width, literal=True, items=items)
        if isinstance(node, nodes.Const):
            kind = literal_type(node.value)
            return Operand(kind, text, start, width, literal=True, value=node.value)
        return Operand(self._value(node, names, known).kind, text, start, width)

    def _value(self, node: nodes.Node, names: Locals, known: Known) -> Seen:
        """The type of an expression; what is wrong in it is reported."""
        parts = self._places.parts(node)
        match node:
            case _ if parts:
                return self._reference(parts, names, known)
            case nodes.Const():
                kind = literal_type(node.value)
                return Seen(optional(UNKNOWN) if isinstance(kind, Null) else kind)
            case nodes.Filter() if node.node is not None:
                return self._filter(node, names, known)
            case nodes.CondExpr():
                return self._choice(node, names, known)
            case nodes.Compare() | nodes.And() | nodes.Or() | nodes.Not() | nodes.Test():
                self._test(node, names, known)
                return Seen(BOOL)
            case nodes.List():
                kinds = [self._value(item, names, known).kind for item in node.items]
                return Seen(ListOf(kinds[0] if kinds and all(kind == kinds[0] for kind in kinds) else UNKNOWN))
            case nodes.Getattr():
                return self._field(node, names, known)
            case nodes.Getitem():
                return self._index(node, names, known)
            case _:
                self._refuse(node, _named(node), "prose holds references, filters, `{% if %}` and `{% for %}`")
                return Seen(UNKNOWN)

    def _reference(self, parts: list[Part], names: Locals, known: Known) -> Seen:
        name = parts[0].name
        if name in names:
            return descend(Seen(names[name], name), parts, Source(names[name]), known, self._report)
        return self._scope.look_up(parts, known, self._report)

    def _field(self, node: nodes.Getattr, names: Locals, known: Known) -> Seen:
        """A field of what is not a plain reference: `a.list[0].field`."""
        seen = self._value(node.node, names, known)
        start, width = self._places.stretch(node.node)
        text = self._places.text[start : start + width]
        inner = Seen(seen.kind, text)
        parts = [Part(text, start), self._places.field(node)]
        return descend(inner, parts, Source(seen.kind), known, self._report)

    def _choice(self, node: nodes.CondExpr, names: Locals, known: Known) -> Seen:
        holds, fails = self._test(node.test, names, known)
        first = self._value(node.expr1, names, known | holds)
        if node.expr2 is None:
            self._refuse(node, "`if` without `else` in one expression", 'write `… if … else ""`')
            return first
        second = self._value(node.expr2, names, known | fails)
        return first if first.kind == second.kind else Seen(UNKNOWN)

    def _index(self, node: nodes.Getitem, names: Locals, known: Known) -> Seen:
        seen = self._value(node.node, names, known)
        whole = isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, int)
        if whole and isinstance(seen.kind, ListOf):
            return Seen(optional(seen.kind.item))
        if not isinstance(seen.kind, Unknown):
            self._refuse(node, "an index of this kind", "write `a.field`, or `a.list[0]`")
        return Seen(UNKNOWN)

    def _filter(self, node: nodes.Filter, names: Locals, known: Known) -> Seen:
        assert node.node is not None
        value = self._value(node.node, names, known)
        arguments = [self._value(argument, names, known).kind for argument in node.args]
        keywords = {str(pair.key): self._value(pair.value, names, known).kind for pair in node.kwargs}
        result = filter_result(node.name, value.kind, arguments, keywords, node.lineno)
        if isinstance(result, Fault):
            self._report(result)
            return Seen(UNKNOWN)
        return Seen(result)

    def _refuse(
        self, node: nodes.Node, what: str, help_: str = "prose holds references, filters, `if` and `for`"
    ) -> None:
        start, width = self._places.stretch(node)
        self._report(Fault("LP604", f"prose cannot hold {what}", start, width, help=help_))


def _defined(statement: nodes.Node) -> Locals:
    """The names that a refused statement would have defined: what uses them is not a second mistake."""
    stored = {node.name for node in statement.find_all(nodes.Name) if node.ctx == "store"}
    named = {statement.name} if isinstance(statement, nodes.Macro) else {getattr(statement, "target", None)}
    return {name: UNKNOWN for name in stored | named if isinstance(name, str)}


def _there(seen: Seen) -> Known:
    return frozenset((seen.dotted,)) if seen.dotted and seen.dotted != EVENT else NOTHING_KNOWN


def _named(node: nodes.Node) -> str:
    match node:
        case nodes.Call():
            return "a call"
        case nodes.BinExpr() | nodes.UnaryExpr() | nodes.Concat():
            return "arithmetic"
        case nodes.Dict():
            return "a map"
        case _:
            return "this"
