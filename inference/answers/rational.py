r"""Exact value of a small arithmetic expression in LaTeX or plain text; None when it is not a plain rational number.

Law: exact or None. Sizes are bounded, so that `9^{9^{9}}` or `2004!` is left to the symbolic comparison, not computed.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import factorial, isqrt

_TOKEN = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+|\\frac|\\sqrt|[-+*/^(){}!])")
_MAX_EXPONENT = 512
_MAX_BITS = 4096
_MAX_FACTORIAL = 20
_MAX_CHARS = 200


class _NotRational(Exception):
    pass


def rational(text: str) -> Fraction | None:
    """The value of sums, products, powers, fractions and roots of exact squares."""
    if not text or len(text) > _MAX_CHARS:
        return None
    try:
        parser = _Parser(_tokens(text))
        value = parser.sum()
        return value if parser.at_end else None
    except (_NotRational, ZeroDivisionError, RecursionError):
        return None


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _NotRational
        tokens.append(match.group(1))
        at = match.end()
    return tokens


class _Parser:
    """Recursive descent: sum → product → power → atom."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._tokens)

    def _peek(self) -> str:
        return "" if self.at_end else self._tokens[self._at]

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise _NotRational
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise _NotRational

    def sum(self) -> Fraction:
        value = self._product()
        while self._peek() in ("+", "-"):
            sign = 1 if self._next() == "+" else -1
            value = _bounded(value + sign * self._product())
        return value

    def _product(self) -> Fraction:
        value = self._signed()
        while (token := self._peek()) and token not in ("+", "-", ")", "}"):
            if token in ("*", "/"):
                self._next()
                right = self._signed()
                value = _bounded(value / right if token == "/" else value * right)
            elif token in ("(", "\\sqrt"):
                value = _bounded(value * self._power())
            else:
                raise _NotRational  # two numbers side by side: a mixed number is read before, all else is unclear
        return value

    def _signed(self) -> Fraction:
        if self._peek() in ("+", "-"):
            return self._signed() if self._next() == "+" else -self._signed()
        return self._power()

    def _power(self) -> Fraction:
        base = self._atom()
        while self._peek() == "!":
            self._next()
            base = _factorial(base)
        if self._peek() != "^":
            return base
        self._next()
        exponent = self._group() if self._peek() == "{" else self._signed()
        return _raised(base, exponent)

    def _atom(self) -> Fraction:
        token = self._next()
        if token == "(":
            value = self.sum()
            self._expect(")")
            return value
        if token == "{":
            self._at -= 1
            return self._group()
        if token == "\\frac":
            return self._group() / self._group()
        if token == "\\sqrt":
            return _root(self._group())
        if token[0].isdigit() or token[0] == ".":
            value = Fraction(token if token[0] != "." else "0" + token)
            return value + self._fraction_part() if value.denominator == 1 and "." not in token else value
        raise _NotRational

    def _fraction_part(self) -> Fraction:
        r"""Of a mixed number such as `2\frac{1}{3}`: a proper fraction right after a whole number."""
        if self._peek() != "\\frac":
            return Fraction(0)
        self._next()
        top, bottom = self._group(), self._group()
        if not 0 < top < bottom or top.denominator != 1 or bottom.denominator != 1:
            raise _NotRational
        return top / bottom

    def _group(self) -> Fraction:
        self._expect("{")
        value = self.sum()
        self._expect("}")
        return value


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
        raise _NotRational
    return value


def _factorial(value: Fraction) -> Fraction:
    if value.denominator != 1 or not 0 <= value <= _MAX_FACTORIAL:
        raise _NotRational
    return Fraction(factorial(int(value)))


def _raised(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent == Fraction(1, 2):
        return _root(base)
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if exponent.denominator != 1 or abs(exponent) > _MAX_EXPONENT or bits * abs(exponent) > _MAX_BITS:
        raise _NotRational
    return base ** int(exponent)


def _root(value: Fraction) -> Fraction:
    if value < 0:
        raise _NotRational
    top, bottom = isqrt(value.numerator), isqrt(value.denominator)
    if top * top != value.numerator or bottom * bottom != value.denominator:
        raise _NotRational
    return Fraction(top, bottom)
