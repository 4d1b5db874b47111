"""Symbolic comparison of two keys; runs only in the worker process, which may be killed at any time.

Law: numbers are compared by high-precision *relative* difference, so that 1/2004! and 1/2006!, or 2^-99 and 2^-98,
stay different; expressions with variables by evaluation at fixed points; math-verify is asked only for what is neither.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy  # type: ignore[import-untyped]
from math_verify import LatexExtractionConfig, parse, verify  # type: ignore[import-untyped]

from inference.answers.keys import Node, decided, latex_of, parse_key
from inference.answers.rounding import is_rounding

_DIGITS = 60
_TOLERANCE = sympy.Float("1e-40")
_POINTS = ("0.7390851332", "2.2360679775", "-1.3247179572", "5.1415926536", "-0.6180339887", "11.090169944")
_CONSTANTS = {"e": sympy.E, "i": sympy.I}
_UNORDERED = ("{}", "u{}")


def equal_keys(left: str, right: str) -> bool:
    verdict = decided(left, right)
    return _equal(parse_key(left), parse_key(right)) if verdict is None else verdict


def rounded_keys(left: str, right: str) -> bool:
    """Whether they are equal when decimals may be roundings of the other side's exact values: for grading only."""
    return _close(parse_key(left), parse_key(right))


def _close(left: Node, right: Node) -> bool:
    if not left.is_leaf and left.kind == right.kind and len(left.parts) == len(right.parts):
        return _parts_equal(left, right, _close)
    return _equal(left, right) or _rounds(left, right) or _rounds(right, left)


def _rounds(decimal: Node, exact: Node) -> bool:
    if decimal.kind != "q" or not exact.is_leaf or exact.kind not in ("q", "x"):
        return False
    value = Fraction(exact.text) if exact.kind == "q" else _real_value(_parsed(latex_of(exact)))
    return value is not None and is_rounding(Fraction(decimal.text), value)


def _real_value(expression: Any) -> Fraction | None:
    """A real number to 60 digits; None for everything else."""
    if not isinstance(expression, sympy.Expr):
        return None
    number = sympy.N(_with_constants(expression), _DIGITS)
    if not (number.is_number and number.is_real and number.is_finite):
        return None
    exact = sympy.Rational(number)
    return Fraction(int(exact.p), int(exact.q))


def _equal(left: Node, right: Node) -> bool:
    if left == right:
        return True
    if not left.is_leaf and left.kind == right.kind:
        return len(left.parts) == len(right.parts) and _parts_equal(left, right, _equal)
    if left.is_leaf and right.is_leaf:
        verdict = decided(f"{left.kind}:{left.text}", f"{right.kind}:{right.text}")
        if verdict is not None:
            return verdict
    return _same_meaning(_parsed(latex_of(left)), _parsed(latex_of(right)))


def _parts_equal(left: Node, right: Node, same: Callable[[Node, Node], bool]) -> bool:
    if left.kind not in _UNORDERED:
        return all(map(same, left.parts, right.parts))
    free = list(right.parts)
    for part in left.parts:
        match = next((other for other in free if same(part, other)), None)
        if match is None:
            return False
        free.remove(match)
    return True


@lru_cache(maxsize=4096)
def _parsed(latex: str) -> Any:
    """A sympy object; None when math-verify can't read it."""
    found = parse(f"${latex}$", extraction_config=[LatexExtractionConfig()], parsing_timeout=None)
    return next((item for item in found if not isinstance(item, str)), None)


def _same_meaning(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    if _is_matrix(left) and _is_matrix(right):
        return bool(verify(left, right, timeout_seconds=None))
    if isinstance(left, sympy.Expr) and isinstance(right, sympy.Expr):
        return _same_expression(_with_constants(left), _with_constants(right))
    if isinstance(left, sympy.Expr) != isinstance(right, sympy.Expr) and not _is_named(left, right):
        return False
    return bool(verify(left, right, allow_set_relation_comp=True, timeout_seconds=None))


@lru_cache(maxsize=16_384)
def _with_constants(value: sympy.Expr) -> sympy.Expr:
    """In an answer, `e` and `i` are the numbers, and decimals are exact."""
    value = value.replace(lambda part: part.is_Float, lambda part: sympy.Rational(str(part)))
    return value.subs({symbol: _CONSTANTS[symbol.name] for symbol in value.free_symbols if symbol.name in _CONSTANTS})


def _is_matrix(value: Any) -> bool:
    return bool(getattr(value, "is_Matrix", False))


def _is_named(left: Any, right: Any) -> bool:
    """`x = …` beside a bare expression, or a set beside its only element; an equation is not its right side."""
    return any(
        isinstance(side, sympy.Set) or (isinstance(side, sympy.Eq) and side.lhs.is_Symbol) for side in (left, right)
    )


def _same_expression(left: sympy.Expr, right: sympy.Expr) -> bool:
    symbols = tuple(sorted(left.free_symbols | right.free_symbols, key=str))
    points = _POINTS if symbols else _POINTS[:1]
    return all(_same_number(left, right, symbols, shift) for shift in range(len(points)))


def _at(symbols: tuple[Any, ...], shift: int) -> dict[Any, sympy.Rational]:
    """A different value for each symbol at each shift, of either sign."""
    return {
        symbol: sympy.Rational(_POINTS[(shift + 2 * index) % len(_POINTS)]) + index
        for index, symbol in enumerate(symbols)
    }


@lru_cache(maxsize=16_384)
def _value(side: sympy.Expr, symbols: tuple[Any, ...], shift: int) -> Any:
    """Remembered, since each answer of a search is compared with all of the others."""
    return sympy.N(side.subs(_at(symbols, shift)), _DIGITS)


def _same_number(left: sympy.Expr, right: sympy.Expr, symbols: tuple[Any, ...], shift: int) -> bool:
    first, second = _value(left, symbols, shift), _value(right, symbols, shift)
    if not (first.is_number and second.is_number) or not (first.is_finite and second.is_finite):
        return bool(first == second)
    size = max(abs(first), abs(second))
    return bool(size == 0 or abs(first - second) <= _TOLERANCE * size)
