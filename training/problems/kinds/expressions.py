"""Nested expressions: one operation a step, innermost and leftmost first; fractions and negatives at the top levels.

Law of a step: it does an operation that is ready, gives its true value, and writes what remains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from training.problems.draw import Draw
from training.problems.formula import Apply, Term, apply, evaluate, ready, reductions, render
from training.problems.kind import Kind, Rule, Wrong, require, true_chain
from training.problems.reader import parse
from training.problems.template import Template
from training.problems.working import written

_GOES_ON = Template("$<chain>$, so $<rest>$.")
_ENDS = Template("$<chain>$.")


@dataclass(frozen=True, slots=True)
class Level:
    operations: int
    products: tuple[int, int]
    addend: int
    """Largest number that is added or taken away."""
    factors: tuple[int, int]
    """Largest sizes of the two sides of a multiplication, the smaller last."""
    floor: int
    ceiling: int
    """Least and greatest value on the way."""
    denominators: int = 1
    """Greatest denominator of a written number."""


LEVELS = {
    1: Level(2, (0, 1), addend=15, factors=(6, 5), floor=0, ceiling=30),
    2: Level(3, (0, 1), addend=20, factors=(9, 5), floor=0, ceiling=50),
    3: Level(3, (0, 1), addend=40, factors=(9, 9), floor=-20, ceiling=100),
    4: Level(4, (1, 1), addend=50, factors=(9, 9), floor=-60, ceiling=150),
    5: Level(4, (1, 2), addend=60, factors=(19, 9), floor=-99, ceiling=200),
}
FRACTIONS = {
    4: Level(1, (0, 1), addend=6, factors=(6, 6), floor=-10, ceiling=10, denominators=6),
    5: Level(2, (0, 1), addend=9, factors=(9, 9), floor=-20, ceiling=20, denominators=6),
}
MAX_DENOMINATOR = 120
NEGATIVE_LEAVES_FROM = 4


class Expressions(Kind[Term, tuple[Term, ...]]):
    """The state: what may remain; more than one when equal operations make the place ambiguous."""

    name = "expression"
    phrasings = (
        Template("What is $<e>$?"),
        Template("Compute $<e>$."),
        Template("Find the value of $<e>$."),
        Template("Evaluate $<e>$."),
        Template("What is <typed>?"),
        Template("Compute <typed>."),
    )

    def draw(self, draw: Draw, level: int) -> Term:
        size = FRACTIONS[level] if level in FRACTIONS and draw.integer(0, 2) == 0 else LEVELS[level]
        negatives = level >= NEGATIVE_LEAVES_FROM
        while True:
            products = draw.integer(*size.products)
            others = [draw.choice("+-") for _ in range(size.operations - products)]
            term = _tree(draw, size, draw.shuffled(["*"] * products + others), negatives)
            if _fits(term, size) is not None and (size.denominators == 1 or _has_fraction(term)):
                return term

    def fields(self, given: Term) -> dict[str, object]:
        return {"e": render(given), "typed": render(given).replace(r" \cdot ", " * ")}

    def write(self, given: Term, draw: Draw) -> str:
        """Fractions are always written in LaTeX: typed ones would read as divisions."""
        forms = [form for form in self.phrasings if "<e>" in form.text or not _has_fraction(given)]
        return draw.choice(forms).fill(**self.fields(given))

    def signature(self, given: Term) -> str:
        return f"{self.name}|{sorted(map(int, re.findall('[0-9]+', render(given))))}"

    def read(self, fields: Mapping[str, str]) -> Term:
        term = parse(fields.get("e") or fields["typed"])
        evaluate(term)
        return term

    def work(self, given: Term) -> list[str]:
        steps, term = [], given
        while isinstance(term, Apply):
            target = next(ready(term))
            term = next(reductions(term, target))
            form = _GOES_ON if isinstance(term, Apply) else _ENDS
            steps.append(form.fill(chain=written(target), rest=render(term)))
        return steps

    def answer(self, given: Term) -> str:
        return render(evaluate(given))

    def start(self, given: Term) -> tuple[Term, ...]:
        return (given,)

    def settled(self, given: Term, state: tuple[Term, ...]) -> bool:
        return any(isinstance(term, Fraction) for term in state)


def _tree(draw: Draw, size: Level, signs: list[str], negatives: bool) -> Term:
    """A random shape with these operations; a number under a product is drawn from the factors."""
    if not signs:
        return _leaf(draw, size.addend, size, negatives)
    at = draw.integer(0, len(signs) - 1)
    sides = signs[:at], signs[at + 1 :]
    if signs[at] != "*":
        left, right = (_tree(draw, size, side, negatives) for side in sides)
        return Apply(signs[at], left, right)
    limits = draw.shuffled(size.factors)
    left, right = (
        _tree(draw, size, side, negatives) if side else _leaf(draw, limit, size, negatives)
        for side, limit in zip(sides, limits, strict=True)
    )
    return Apply("*", left, right)


def _leaf(draw: Draw, limit: int, size: Level, negatives: bool) -> Fraction:
    sign = -1 if negatives and draw.integer(0, 5) == 0 else 1
    return Fraction(sign * draw.integer(1, limit), draw.integer(1, size.denominators))


def _has_fraction(term: Term) -> bool:
    if isinstance(term, Apply):
        return _has_fraction(term.left) or _has_fraction(term.right)
    return isinstance(term, Fraction) and term.denominator > 1


def _fits(term: Term, size: Level) -> Fraction | None:
    """The value, or None where something on the way leaves the level's bounds or is trivial."""
    if not isinstance(term, Apply):
        return term if isinstance(term, Fraction) else None
    left, right = _fits(term.left, size), _fits(term.right, size)
    if left is None or right is None or 0 in (left, right):
        return None
    if term.sign == "*" and not _product_fits(left, right, size):
        return None
    value = apply(term.sign, left, right)
    return value if size.floor <= value <= size.ceiling and value.denominator <= MAX_DENOMINATOR else None


def _product_fits(left: Fraction, right: Fraction, size: Level) -> bool:
    small, large = sorted((abs(left.numerator), abs(right.numerator)))
    return 1 not in (abs(left), abs(right)) and large <= size.factors[0] and small <= size.factors[1]


def _follow(given: Term, state: tuple[Term, ...], fields: Mapping[str, str]) -> tuple[Term, ...]:
    sides = true_chain(fields["chain"])
    target = sides[0]
    if not isinstance(target, Apply) or not isinstance(sides[-1], Fraction):
        raise Wrong
    after = tuple(new for term in state for new in _after(term, target))
    if "rest" in fields:
        rest = parse(fields["rest"])
        after = tuple(term for term in after if term == rest and isinstance(term, Apply))
    else:
        after = tuple(term for term in after if isinstance(term, Fraction))
    require(bool(after))
    return after


def _after(term: Term, target: Apply) -> list[Term]:
    return list(reductions(term, target)) if target in ready(term) else []


Expressions.rules = (Rule(_GOES_ON, _follow), Rule(_ENDS, _follow))
