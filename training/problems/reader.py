r"""Reads LaTeX formulas: numbers, letters, `+ - \cdot \div ^ \frac \binom`, brackets, and products without a sign.

Law: `parse(render(term)) == term`. Sizes are bounded, since a model may write anything: a term or ValueError.
"""

from __future__ import annotations

import re
from fractions import Fraction

from training.problems.formula import Apply, Term, apply

_TOKEN = re.compile(r"\s*(\d+|[a-z]|\\(?:cdot|times|div|frac|binom)(?![a-z])|[-+*/^(){}])", re.ASCII)
_TIMES, _OVER = ("*", r"\cdot", r"\times"), ("/", r"\div")
MAX_TOKENS, MAX_DIGITS, MAX_DEPTH = 300, 12, 40


def parse(text: str) -> Term:
    """Raises ValueError on anything that is no formula."""
    reader = _Reader(_tokens(text))
    term = reader.sum()
    reader.end()
    return term


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or len(match[1]) > MAX_DIGITS or len(found) == MAX_TOKENS:
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
