"""Exact formulas as trees: write in LaTeX, evaluate, and reduce step by step.

Law: nothing is executed, a formula is data; sizes are bounded, so that evaluating gives a number or ValueError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import TypeAlias

MAX_EXPONENT, MAX_BITS = 64, 4000
NO_NAMES: Mapping[str, Fraction] = {}


@dataclass(frozen=True, slots=True)
class Apply:
    sign: str
    r"""One of `+ - * / ^` and `C`, a binomial."""
    left: Term
    right: Term


Term: TypeAlias = Fraction | str | Apply
"""A number, a name, or an operation."""


def evaluate(term: Term, names: Mapping[str, Fraction] = NO_NAMES) -> Fraction:
    """Raises ValueError for an unknown name, a division by zero, or a value that is too large."""
    if isinstance(term, Fraction):
        return term
    if isinstance(term, str):
        if term not in names:
            raise ValueError(f"{term} is not known")
        return names[term]
    return _bounded(apply(term.sign, evaluate(term.left, names), evaluate(term.right, names)))


def apply(sign: str, left: Fraction, right: Fraction) -> Fraction:
    """The exact value of one operation."""
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if sign == "*":
        return left * right
    if sign == "/":
        if right == 0:
            raise ValueError("a division by zero")
        return left / right
    return _power(left, right) if sign == "^" else _binomial(left, right)


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if exponent.denominator != 1 or not 0 <= exponent <= MAX_EXPONENT or bits * exponent > MAX_BITS:
        raise ValueError("a power that is too large")
    return base ** int(exponent)


def _binomial(top: Fraction, bottom: Fraction) -> Fraction:
    if top.denominator != 1 or bottom.denominator != 1 or not 0 <= bottom <= top <= 200:
        raise ValueError("a binomial that is too large")
    return Fraction(comb(int(top), int(bottom)))


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise ValueError("a number that is too large")
    return value


def fraction(top: int, bottom: int) -> str:
    r"""`\frac{top}{bottom}` as it stands, not reduced; the sign stands before it."""
    return f"{'-' if top < 0 else ''}\\frac{{{abs(top)}}}{{{bottom}}}"


def number(value: Fraction | int) -> str:
    """In lowest terms."""
    value = Fraction(value)
    return str(value.numerator) if value.denominator == 1 else fraction(value.numerator, value.denominator)


_RANK = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}
_WRITTEN = {"+": " + ", "-": " - ", "*": r" \cdot ", "/": r" \div "}


def render(term: Term, *, leading: bool = True) -> str:
    """The usual notation. `leading`: nothing stands to the left, so that a negative number needs no brackets."""
    if isinstance(term, str):
        return term
    if isinstance(term, Fraction):
        return number(term) if leading or term >= 0 else f"({number(term)})"
    if term.sign == "C":
        return f"\\binom{{{render(term.left)}}}{{{render(term.right)}}}"
    if term.sign == "^":
        exponent = render(term.right)
        return _side(term.left, 4, leading=False) + (f"^{exponent}" if len(exponent) == 1 else f"^{{{exponent}}}")
    rank = _RANK[term.sign]
    return _side(term.left, rank, leading=leading) + _WRITTEN[term.sign] + _side(term.right, rank + 1, leading=False)


def _side(term: Term, rank: int, *, leading: bool) -> str:
    needed = isinstance(term, Apply) and _RANK.get(term.sign, 9) < rank
    return f"({render(term)})" if needed else render(term, leading=leading)


def ready(term: Term) -> Iterator[Apply]:
    """The operations that can be done next (both sides are numbers), from left to right."""
    if isinstance(term, Apply):
        if isinstance(term.left, Fraction) and isinstance(term.right, Fraction):
            yield term
        else:
            yield from ready(term.left)
            yield from ready(term.right)


def reductions(term: Term, target: Apply) -> Iterator[Term]:
    """Every term that comes from doing one operation that is equal to `target`."""
    if term == target:
        yield evaluate(target)
    elif isinstance(term, Apply):
        for new in reductions(term.left, target):
            yield Apply(term.sign, new, term.right)
        for new in reductions(term.right, target):
            yield Apply(term.sign, term.left, new)


def substitute(term: Term, names: Mapping[str, Fraction]) -> Term:
    if isinstance(term, Apply):
        return Apply(term.sign, substitute(term.left, names), substitute(term.right, names))
    return names.get(term, term) if isinstance(term, str) else term


def leaves(term: Term) -> list[Term]:
    return [*leaves(term.left), *leaves(term.right)] if isinstance(term, Apply) else [term]


def chain(term: Term) -> str:
    r"""The evaluation in line: `3 \cdot 5 + 4 = 15 + 4 = 19`; each time everything that is ready is done."""
    sides = [render(term)]
    while isinstance(term, Apply):
        term = _round(term)
        sides.append(render(term))
    return " = ".join(sides)


def _round(term: Term) -> Term:
    if not isinstance(term, Apply):
        return term
    if isinstance(term.left, Fraction) and isinstance(term.right, Fraction):
        return evaluate(term)
    return Apply(term.sign, _round(term.left), _round(term.right))
