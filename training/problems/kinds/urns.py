"""Balls drawn without replacement: one probability a draw, then their product, as exact fractions.

Law of a step: each draw's fraction counts the balls that are left; the product is built from the left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from training.problems.draw import Draw
from training.problems.formula import Apply, Term, fraction, number
from training.problems.kind import Kind, Rule, Wrong, require, true_chain
from training.problems.template import Template
from training.problems.working import written

_TOTAL = Template("There are $<chain>$ balls.")
_DRAW = Template("Ball $<#i>$ is <colour>: $<share>$.")
_PRODUCT = Template("$<chain>$.")


@dataclass(frozen=True, slots=True)
class Urn:
    red: int
    blue: int
    draws: tuple[str, ...]
    """The colours that are asked for, in order."""

    def factors(self) -> tuple[tuple[int, int], ...]:
        """Favourable and all balls at each draw."""
        left = {"red": self.red, "blue": self.blue}
        found = []
        for colour in self.draws:
            found.append((left[colour], sum(left.values())))
            left[colour] -= 1
        return tuple(found)


@dataclass(frozen=True, slots=True)
class State:
    counted: bool = False
    drawn: int = 0
    """Draws whose fraction is known."""
    joined: int = 0
    """Draws whose product is known."""


_LEVELS = {1: (1, 30), 2: (1, 60), 3: (2, 14), 4: (2, 20), 5: (2, 30)}
"""Draws, the most balls of one colour."""


class Urns(Kind[Urn, State]):
    name = "urn"
    phrasings = (
        Template("An urn holds $<#r>$ red and $<#b>$ blue balls. One is drawn. What is the probability of <one>?"),
        Template("A bag has $<#r>$ red and $<#b>$ blue balls. You take one. How likely is it <one>?"),
        Template("An urn holds $<#r>$ red and $<#b>$ blue balls. They are drawn one by one. What is the probability "
                 "that the first are <draws>, in this order?"),
        Template("From $<#r>$ red and $<#b>$ blue balls some are taken one after the other. What is the probability of "
                 "<draws>, in this order?"),
    )  # fmt: skip

    def write(self, given: Urn, draw: Draw) -> str:
        return draw.choice(self.phrasings[2:] if len(given.draws) > 1 else self.phrasings[:2]).fill(
            **self.fields(given)
        )

    def draw(self, draw: Draw, level: int) -> Urn:
        count, most = _LEVELS[level]
        draws = tuple(draw.choice(("red", "blue")) for _ in range(count))
        return Urn(draw.integer(count, most), draw.integer(count, most), draws)

    def signature(self, given: Urn) -> str:
        """The same when the colours change their names or their order."""
        colours = (("red", given.red), ("blue", given.blue))
        return f"{self.name}|{sorted((balls, given.draws.count(colour)) for colour, balls in colours)}"

    def fields(self, given: Urn) -> dict[str, object]:
        return {"r": given.red, "b": given.blue, "one": given.draws[0], "draws": ", ".join(given.draws)}

    def read(self, fields: Mapping[str, str]) -> Urn:
        draws = tuple((fields.get("draws") or fields["one"]).split(", "))
        red, blue = int(fields["r"]), int(fields["b"])
        if not set(draws) <= {"red", "blue"} or not len(draws) <= min(red, blue) or max(red, blue) > 10**6:
            raise ValueError("not an urn")
        return Urn(red, blue, draws)

    def work(self, given: Urn) -> list[str]:
        factors = given.factors()
        steps = [_TOTAL.fill(chain=f"{given.red} + {given.blue} = {factors[0][1]}")]
        for at, (colour, (top, bottom)) in enumerate(zip(given.draws, factors, strict=True), 1):
            share = dict.fromkeys((fraction(top, bottom), number(Fraction(top, bottom))))
            steps.append(_DRAW.fill(i=at, colour=colour, share=" = ".join(share)))
        so_far = Fraction(*factors[0])
        for top, bottom in factors[1:]:
            steps.append(_PRODUCT.fill(chain=written(Apply("*", so_far, Fraction(top, bottom)))))
            so_far *= Fraction(top, bottom)
        return steps

    def answer(self, given: Urn) -> str:
        """Orders with these colours over all orders."""
        reds = given.draws.count("red")
        blues = len(given.draws) - reds
        favourable = math.perm(given.red, reds) * math.perm(given.blue, blues)
        return number(Fraction(favourable, math.perm(given.red + given.blue, len(given.draws))))

    def start(self, given: Urn) -> State:
        return State()

    def settled(self, given: Urn, state: State) -> bool:
        return state.drawn == len(given.draws) and state.joined == len(given.draws)


def _counted(given: Urn, state: State, fields: Mapping[str, str]) -> State:
    sides = true_chain(fields["chain"])
    require(sides[0] == Apply("+", Fraction(given.red), Fraction(given.blue)) and isinstance(sides[-1], Fraction))
    return State(True, state.drawn, state.joined)


def _drawn(given: Urn, state: State, fields: Mapping[str, str]) -> State:
    at, factors = int(fields["i"]), given.factors()
    require(state.counted and at == state.drawn + 1 <= len(factors) and fields["colour"] == given.draws[at - 1])
    top, bottom = factors[at - 1]
    sides = fields["share"].split(" = ")
    true_chain(f"{fraction(top, bottom)} = {fields['share']}")
    require(sides[0] in (fraction(top, bottom), number(Fraction(top, bottom))))
    require(sides[-1] == number(Fraction(top, bottom)))
    return State(True, at, max(state.joined, 1))


def _joined(given: Urn, state: State, fields: Mapping[str, str]) -> State:
    """The product so far times the next fraction, both in lowest terms or as they were written."""
    sides = true_chain(fields["chain"])
    if not isinstance(sides[-1], Fraction):
        raise Wrong
    require(0 < state.joined < state.drawn and sides[0] == _next_product(given, state.joined))
    return State(True, state.drawn, state.joined + 1)


def _next_product(given: Urn, joined: int) -> Term:
    factors = [Fraction(*factor) for factor in given.factors()]
    return Apply("*", math.prod(factors[:joined], start=Fraction(1)), factors[joined])


Urns.rules = (Rule(_TOTAL, _counted), Rule(_DRAW, _drawn), Rule(_PRODUCT, _joined))
