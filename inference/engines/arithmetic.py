"""Reading and reducing an arithmetic expression, one operation at a time; nothing is ever executed."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from fractions import Fraction

_EXPRESSION = re.compile(r"[-+*/() \d]*\d[-+*/() \d]*[-+*/][-+*/() \d]*\d[) ]*")
_OPERATORS: dict[type, tuple[str, Callable[[Fraction, Fraction], Fraction]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
}
_MAX_CHARS = 500


def find_expression(text: str) -> str | None:
    """The only arithmetic expression of the text (× and ÷ read too); None when there is none or it has no value."""
    text = text.replace("×", "*").replace("÷", "/").replace("−", "-")
    found = [match.group().strip() for match in _EXPRESSION.finditer(text)]
    if len(found) != 1 or len(found[0]) > _MAX_CHARS:
        return None
    return found[0] if operations(found[0]) else None


def operations(expression: str) -> tuple[tuple[str, str, Fraction], ...]:
    """Each operation in order: its left side as text, its operator and right side, its value. Empty: no value."""
    steps: list[tuple[str, str, Fraction]] = []
    try:
        _reduce(ast.parse(expression.strip(), mode="eval").body, steps)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError):
        return ()
    return tuple(steps)


def _reduce(node: ast.expr, steps: list[tuple[str, str, Fraction]]) -> Fraction:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return Fraction(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_reduce(node.operand, steps)
    if not isinstance(node, ast.BinOp) or type(node.op) not in _OPERATORS:
        raise ValueError
    left, right = _reduce(node.left, steps), _reduce(node.right, steps)
    sign, apply = _OPERATORS[type(node.op)]
    value = apply(left, right)
    steps.append((str(left), f"{sign} {right}" if right >= 0 else f"{sign} ({right})", value))
    return value
