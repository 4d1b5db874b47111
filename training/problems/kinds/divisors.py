"""Greatest common divisors by Euclid's algorithm, with a check that both numbers are multiples.

Law of a step: it divides the last divisor by the last remainder, with the true quotient and remainder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from training.problems.draw import Draw
from training.problems.formula import Apply, evaluate
from training.problems.kind import Kind, Rule, Wrong, require, whole
from training.problems.reader import parse
from training.problems.template import Template

_DIVIDE = Template(r"$<#a> = <#q> \cdot <#b> + <#r>$.")
_CHECK = Template(r"Check: $<#a> = <#k> \cdot <#g>$ and $<#b> = <#l> \cdot <#g>$.")


@dataclass(frozen=True, slots=True)
class Pair:
    a: int
    b: int


_LEVELS = {1: (150, 1, 1), 2: (150, 1, 2), 3: (200, 2, 3), 4: (250, 3, 3), 5: (400, 3, 4)}
"""Greatest number; least and greatest number of divisions."""


class Divisors(Kind[Pair, Pair]):
    """The state: what is to be divided next; (g, 0) at the end."""

    name = "gcd"
    phrasings = (
        Template("What is the greatest common divisor of $<#a>$ and $<#b>$?"),
        Template(r"Find $\gcd(<#a>, <#b>)$."),
        Template("Which is the largest whole number that divides both $<#a>$ and $<#b>$?"),
    )

    def draw(self, draw: Draw, level: int) -> Pair:
        size, least, most = _LEVELS[level]
        while True:
            g = draw.integer(2, size // 6)
            b = g * draw.integer(2, size // g)
            a = g * draw.integer(2, size // g)
            if b < a and least <= len(_divisions(Pair(a, b))) <= most:
                return Pair(a, b)

    def fields(self, given: Pair) -> dict[str, object]:
        return {"a": given.a, "b": given.b}

    def read(self, fields: Mapping[str, str]) -> Pair:
        pair = Pair(int(fields["a"]), int(fields["b"]))
        if not 0 < pair.b < pair.a < 10**9:
            raise ValueError("the larger number comes first")
        return pair

    def work(self, given: Pair) -> list[str]:
        steps = [_DIVIDE.fill(a=pair.a, q=pair.a // pair.b, b=pair.b, r=pair.a % pair.b) for pair in _divisions(given)]
        g = _divisions(given)[-1].b
        return [*steps, _CHECK.fill(a=given.a, k=given.a // g, g=g, b=given.b, l=given.b // g)]

    def answer(self, given: Pair) -> str:
        return str(math.gcd(given.a, given.b))

    def start(self, given: Pair) -> Pair:
        return given

    def settled(self, given: Pair, state: Pair) -> bool:
        return state.b == 0


def _divisions(pair: Pair) -> list[Pair]:
    found = []
    while pair.b:
        found.append(pair)
        pair = Pair(pair.b, pair.a % pair.b)
    return found


def _divided(given: Pair, state: Pair, fields: Mapping[str, str]) -> Pair:
    a, q, b, r = (int(fields[name]) for name in "aqbr")
    require(Pair(a, b) == state and b > 0 and a == q * b + r and 0 <= r < b)
    return Pair(b, r)


def _checked(given: Pair, state: Pair, fields: Mapping[str, str]) -> Pair:
    a, k, g, b, m = (int(fields[name]) for name in "akgbl")
    require(state.b == 0 and g == state.a and Pair(a, b) == given and a == k * g and b == m * g)
    return state


def division(text: str, modulus: int) -> int:
    r"""The remainder written in `q \cdot modulus + r`. Raises Wrong when it is not 0 <= r < modulus."""
    term = parse(text)
    evaluate(term)
    if not isinstance(term, Apply) or term.sign != "+" or not isinstance(term.left, Apply) or term.left.sign != "*":
        raise Wrong
    whole(term.left.left)
    require(whole(term.left.right) == modulus and 0 <= whole(term.right) < modulus)
    return whole(term.right)


Divisors.rules = (Rule(_DIVIDE, _divided), Rule(_CHECK, _checked))
