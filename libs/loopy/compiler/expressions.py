"""`when` at run time: a condition over the values of an event and of earlier steps.

Null is equal to null alone, is in nothing and has nothing in it, and every order comparison with it is false; a
reference into a step that was skipped is null, and so is a field that is absent. Two texts that are both RFC 3339
datetimes are compared as instants. A value that is not `true` counts as false.
"""

import ast
from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import Any, TypeAlias

from loopy.compiler.condition_syntax import CONSTANTS, Unreadable, parse_condition, unmasked

Values: TypeAlias = Mapping[str, Any]

_ORDERS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {ast.Lt: lt, ast.LtE: le, ast.Gt: gt, ast.GtE: ge}


class ExpressionError(Exception):
    """A condition that cannot be evaluated: one that no compiler has passed."""


def evaluate(when: str, event: Values, inputs: Mapping[str, Values | None]) -> bool:
    """Whether the condition holds. `inputs` are the outputs of earlier steps, None for one that was skipped."""
    try:
        tree = parse_condition(when)
    except Unreadable as exc:
        raise ExpressionError(f"{exc.fault.headline}: {when!r}") from None
    return _value(tree, {**inputs, "event": event}) is True


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name(id=name):
            return _named(unmasked(name), names)
        case ast.Attribute():
            value = _value(node.value, names)
            return value.get(unmasked(node.attr)) if isinstance(value, Mapping) else None
        case ast.BoolOp(op=ast.And()):
            return all(_value(each, names) is True for each in node.values)
        case ast.BoolOp():
            return any(_value(each, names) is True for each in node.values)
        case ast.UnaryOp(op=ast.Not()):
            return _value(node.operand, names) is not True
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.List() | ast.Tuple() | ast.Set():
            return [_value(item, names) for item in node.elts]
        case ast.Compare():
            return _compare(node, names)
        case _:
            raise ExpressionError(f"a condition cannot hold {type(node).__name__}")


def _named(name: str, names: Mapping[str, Any]) -> Any:
    if name in names:
        return names[name]
    if name in CONSTANTS:
        return CONSTANTS[name]
    raise ExpressionError(f"there is no step `{name}` before this one")


def _compare(node: ast.Compare, names: Mapping[str, Any]) -> bool:
    left = _value(node.left, names)
    for operator, comparator in zip(node.ops, node.comparators, strict=True):
        right = _value(comparator, names)
        if not _holds(operator, left, right):
            return False
        left = right
    return True


def _holds(operator: ast.cmpop, left: Any, right: Any) -> bool:
    match operator:
        case ast.Eq():
            return _equal(left, right)
        case ast.NotEq():
            return not _equal(left, right)
        case ast.In():
            return _contains(right, left)
        case ast.NotIn():
            return not _contains(right, left)
        case _ if type(operator) in _ORDERS:
            return _ordered(_ORDERS[type(operator)], left, right)
        case _:
            raise ExpressionError(f"a condition cannot hold {type(operator).__name__}")


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if left == right:
        return True
    instants = _instant(left), _instant(right)
    return instants[0] is not None and instants[0] == instants[1]


def _contains(container: Any, item: Any) -> bool:
    match container:
        case str():
            return isinstance(item, str) and item in container
        case Mapping():
            return isinstance(item, str) and item in container
        case list() | tuple():
            return any(_equal(each, item) for each in container)
        case _:
            return False


def _ordered(operator: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    if _is_number(left) and _is_number(right):
        return operator(left, right)
    earlier, later = _instant(left), _instant(right)
    return earlier is not None and later is not None and operator(earlier, later)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _instant(value: Any) -> Any:
    """The instant that an RFC 3339 text names, or None."""
    from datetime import datetime

    if not isinstance(value, str) or len(value) < 16 or not value[:4].isdigit():
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None
