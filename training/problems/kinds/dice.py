"""Two dice and a sum: the outcomes and the pairs are counted out, and the share is an exact fraction.

Law of a step: the pairs are exactly those with the sum, the outcomes all pairs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from training.problems.draw import Draw
from training.problems.formula import Apply, fraction, number, render
from training.problems.kind import Kind, Rule, require, true_chain
from training.problems.template import Template
from training.problems.working import product

_ALL = Template("There are $<chain>$ outcomes.")
_PAIRS = Template("With sum $<#t>$: $<pairs>$, so $<#count>$.")
_SHARE = Template(r"The share is $<share>$.")
_PAIR = re.compile(r"\(([0-9]{1,3}), ([0-9]{1,3})\)(?:, |$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Dice:
    a: int
    b: int
    t: int

    def pairs(self) -> list[tuple[int, int]]:
        return [(one, self.t - one) for one in range(max(1, self.t - self.b), min(self.a, self.t - 1) + 1)]


State = frozenset[str]
_LEVELS = {1: (4, 8, 3), 2: (4, 12, 3), 3: (6, 12, 4), 4: (6, 15, 5), 5: (6, 20, 6)}
"""Least and greatest number of sides, the most pairs."""


class TwoDice(Kind[Dice, State]):
    name = "dice"
    phrasings = (
        Template("A die with $<#a>$ sides and a die with $<#b>$ sides are rolled. How likely is the sum $<#t>$?"),
        Template(
            "Two dice have sides $1$ to $<#a>$ and $1$ to $<#b>$. What is the probability that their sum is $<#t>$?"
        ),
    )

    def draw(self, draw: Draw, level: int) -> Dice:
        low, high, most = _LEVELS[level]
        while True:
            a, b = draw.integer(low, high), draw.integer(low, high)
            dice = Dice(a, b, draw.integer(2, a + b))
            if most // 2 <= len(dice.pairs()) <= most:
                return dice

    def fields(self, given: Dice) -> dict[str, object]:
        return {"a": given.a, "b": given.b, "t": given.t}

    def read(self, fields: Mapping[str, str]) -> Dice:
        dice = Dice(int(fields["a"]), int(fields["b"]), int(fields["t"]))
        if not (1 < dice.a < 1000 and 1 < dice.b < 1000 and 2 <= dice.t <= dice.a + dice.b):
            raise ValueError("no such dice")
        return dice

    def work(self, given: Dice) -> list[str]:
        total, pairs = given.a * given.b, given.pairs()
        share = dict.fromkeys((fraction(len(pairs), total), number(Fraction(len(pairs), total))))
        return [
            _ALL.fill(chain=product(given.a, given.b)),
            _PAIRS.fill(t=given.t, pairs=", ".join(f"({one}, {two})" for one, two in pairs), count=len(pairs)),
            _SHARE.fill(share=" = ".join(share)),
        ]

    def answer(self, given: Dice) -> str:
        """By enumeration of all outcomes."""
        hits = sum(one + two == given.t for one in range(1, given.a + 1) for two in range(1, given.b + 1))
        return number(Fraction(hits, given.a * given.b))

    def start(self, given: Dice) -> State:
        return frozenset()

    def settled(self, given: Dice, state: State) -> bool:
        return "share" in state


def _counted(given: Dice, state: State, fields: Mapping[str, str]) -> State:
    sides = true_chain(fields["chain"])
    require(sides[0] == Apply("*", Fraction(given.a), Fraction(given.b)) and isinstance(sides[-1], Fraction))
    return state | {"all"}


def _listed(given: Dice, state: State, fields: Mapping[str, str]) -> State:
    if _PAIR.sub("", fields["pairs"]):
        raise ValueError("not a list of pairs")
    written = [(int(one), int(two)) for one, two in _PAIR.findall(fields["pairs"])]
    require(int(fields["t"]) == given.t and sorted(written) == given.pairs() and int(fields["count"]) == len(written))
    return state | {"pairs"}


def _shared(given: Dice, state: State, fields: Mapping[str, str]) -> State:
    written = fields["share"].split(" = ")
    value = Fraction(len(given.pairs()), given.a * given.b)
    true_chain(f"{number(value)} = {fields['share']}")
    require(
        state >= {"all", "pairs"} and written[0] in (fraction(len(given.pairs()), given.a * given.b), number(value))
    )
    require(written[-1] == render(value))
    return state | {"share"}


TwoDice.rules = (Rule(_ALL, _counted), Rule(_PAIRS, _listed), Rule(_SHARE, _shared))
