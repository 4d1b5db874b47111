r"""How one operation is written out, so that each part of it is small: partial products, and common denominators.

Law: every result is a true chain `operation = … = value`, whose last side is in lowest terms.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm

from training.problems.formula import Apply, Term, apply, fraction, number, render

EASY = 12
"""Products up to EASY times EASY are known by heart."""


def written(target: Apply) -> str:
    """The chain for an operation on two numbers."""
    left, right = target.left, target.right
    assert isinstance(left, Fraction)
    assert isinstance(right, Fraction)
    middle = _middle(target.sign, left, right)
    sides = [render(target), *middle, number(apply(target.sign, left, right))]
    return " = ".join(dict.fromkeys(sides))


def product(left: int, right: int) -> str:
    return written(Apply("*", Fraction(left), Fraction(right)))


def _middle(sign: str, left: Fraction, right: Fraction) -> list[str]:
    if left.denominator == right.denominator == 1:
        return _partial_products(int(left), int(right)) if sign == "*" else []
    if sign == "*":
        return [fraction(left.numerator * right.numerator, left.denominator * right.denominator)]
    if sign == "/":
        return []
    bottom = lcm(left.denominator, right.denominator)
    tops = [int(left * bottom), int(right * bottom)]
    shared = [fraction(tops[0], bottom), fraction(tops[1], bottom)]
    joined = f"{shared[0]} {sign} ({shared[1]})" if tops[1] < 0 else f"{shared[0]} {sign} {shared[1]}"
    return [joined, fraction(tops[0] + tops[1] if sign == "+" else tops[0] - tops[1], bottom)]


def _partial_products(left: int, right: int) -> list[str]:
    small, large = sorted((left, right), key=abs)
    tens, units = _split(large)
    if abs(small) <= EASY and (abs(large) <= EASY or units == 0):
        return []
    if abs(small) <= EASY:
        return [_sum(Fraction(tens * small), Fraction(units * small))]
    tens, units = _split(small)
    if units == 0:
        return []
    parts = (Apply("*", Fraction(large), Fraction(part)) for part in (tens, units))
    return [_sum(*parts), _sum(Fraction(large * tens), Fraction(large * units))]


def _split(value: int) -> tuple[int, int]:
    """47 as 40 and 7, -47 as -40 and -7."""
    sign = -1 if value < 0 else 1
    return sign * (abs(value) // 10 * 10), sign * (abs(value) % 10)


def _sum(left: Term, right: Term) -> str:
    return render(Apply("+", left, right))
