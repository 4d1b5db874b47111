r"""Exact LaTeX formulas as trees: write, read, evaluate, and reduce step by step.

Law: `parse(render(term)) == term` for what the generators write. Nothing is executed: a formula is data. Sizes are
bounded, since a model may write anything: reading gives a term or ValueError, and so does evaluating.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import TypeAlias

_TOKEN = re.compile(r"\s*(\d+|[a-z]|\\(?:cdot|times|div|frac|binom)(?![a-z])|[-+*/^(){}])", re.ASCII)
_TIMES, _OVER = ("*", r"\cdot", r"\times"), ("/", r"\div")
MAX_DIGITS, MAX_EXPONENT, MAX_DEPTH, MAX_BITS = 12, 64, 40, 4000
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


def parse(text: str) -> Term:
    """Raises ValueError on anything that is no formula."""
    reader = _Reader(_tokens(text))
    term = reader.sum()
    reader.end()
    return term


def _tokens(text: str) -> list[str]:
    found, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or len(match[1]) > MAX_DIGITS:
            raise ValueError("not a formula")
        found.append(match[1])
        at = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0

    def end(self) -> None:
        if self._at != len(self._tokens):
            raise ValueError("text after the formula")

    def sum(self) -> Term:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError("brackets are nested too deeply")
        term = self._product()
        while self._peek() in ("+", "-"):
            term = Apply(self._next(), term, self._product())
        self._depth -= 1
        return term

    def _product(self) -> Term:
        term = self._signed()
        while True:
            token = self._peek()
            if token in _TIMES or token in _OVER:
                self._next()
                term = Apply("*" if token in _TIMES else "/", term, self._signed())
            elif token == "(" or (token.isalpha() and len(token) == 1):
                term = Apply("*", term, self._power())  # 3x, 2(x + 1)
            else:
                return term

    def _signed(self) -> Term:
        minus = 0
        while self._peek() == "-":
            self._next()
            minus += 1
        term = self._power()
        if minus % 2 == 0:
            return term
        return -term if isinstance(term, Fraction) else Apply("*", Fraction(-1), term)

    def _power(self) -> Term:
        base = self._atom()
        if self._peek() != "^":
            return base
        self._next()
        if self._peek() == "{":
            return Apply("^", base, self._group("{", "}"))
        token = self._next()
        if not (token.isdigit() and len(token) == 1):
            raise ValueError("an exponent of several signs stands in braces")
        return Apply("^", base, Fraction(int(token)))

    def _atom(self) -> Term:
        token = self._peek()
        if token == "(":
            return self._group("(", ")")
        token = self._next()
        if token.isdigit():
            return Fraction(int(token))
        if token == r"\frac":
            return _divided(self._group("{", "}"), self._group("{", "}"))
        if token == r"\binom":
            return Apply("C", self._group("{", "}"), self._group("{", "}"))
        if len(token) == 1 and token.isalpha():
            return token
        raise ValueError("a number is missing")

    def _group(self, opening: str, closing: str) -> Term:
        self._expect(opening)
        term = self.sum()
        self._expect(closing)
        return term

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise ValueError(f"{token} is missing")


def _divided(top: Term, bottom: Term) -> Term:
    if isinstance(top, Fraction) and isinstance(bottom, Fraction):
        return apply("/", top, bottom)
    return Apply("/", top, bottom)
