r"""Numbers of teams: binomials from their numerator and denominator, and products of two of them.

Law of a step: a numerator is the falling product of one group, a denominator its factorial, the quotient exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from training.problems.draw import Draw
from training.problems.formula import Apply, Term, apply, render
from training.problems.kind import Kind, Rule, Wrong, require, true_chain, whole
from training.problems.template import Template
from training.problems.working import product

_PRODUCT = Template("$<chain>$.")
_QUOTIENT = Template(r"$\binom{<#n>}{<#k>} = \frac{<#top>}{<#bottom>} = <#value>$.")


@dataclass(frozen=True, slots=True)
class Team:
    n: int
    k: int
    m: int = 0
    l: int = 0  # noqa: E741
    """The second group; without one m = l = 0."""

    def groups(self) -> tuple[tuple[int, int], ...]:
        return ((self.n, self.k), (self.m, self.l)) if self.m else ((self.n, self.k),)


State = frozenset[str]
"""Products and binomials that are known, as text."""

_LEVELS = {
    1: ((3, 12), (2, 2), None),
    2: ((3, 20), (2, 2), None),
    3: ((4, 11), (2, 3), None),
    4: ((5, 14), (2, 3), None),
    5: ((4, 9), (2, 2), (3, 9)),
}
"""Size of the group, how many are chosen, size of the second group."""


class Choices(Kind[Team, State]):
    name = "choices"
    phrasings = (
        Template("In how many ways can $<#k>$ of $<#n>$ people be chosen?"),
        Template("How many teams of $<#k>$ can be made from $<#n>$ players?"),
        Template("A club has $<#n>$ members. How many groups of $<#k>$ are there?"),
        Template("In how many ways can a team of $<#k>$ of $<#n>$ girls and $<#l>$ of $<#m>$ boys be made?"),
        Template("A jury has $<#k>$ of $<#n>$ women and $<#l>$ of $<#m>$ men. How many juries are possible?"),
        Template("How many ways are there to pick $<#k>$ of $<#n>$ books and $<#l>$ of $<#m>$ films?"),
    )

    def write(self, given: Team, draw: Draw) -> str:
        return draw.choice(self.phrasings[3:] if given.m else self.phrasings[:3]).fill(**self.fields(given))

    def draw(self, draw: Draw, level: int) -> Team:
        sizes, chosen, second = _LEVELS[level]
        n, k = draw.integer(*sizes), draw.integer(*chosen)
        return Team(n, k, draw.integer(*second), 2) if second else Team(n, k)

    def fields(self, given: Team) -> dict[str, object]:
        return {"n": given.n, "k": given.k, "m": given.m, "l": given.l}

    def read(self, fields: Mapping[str, str]) -> Team:
        team = Team(*(int(fields[name]) for name in "nkml" if name in fields))
        if not all(1 < k <= n <= 100 for n, k in team.groups()):
            raise ValueError("too few or too many to choose from")
        return team

    def work(self, given: Team) -> list[str]:
        steps = []
        for n, k in given.groups():
            top, bottom = math.perm(n, k), math.factorial(k)
            steps += [
                _PRODUCT.fill(chain=_product_chain(_falling(start, k))) for start in (n, k) if (start, k) != (2, 2)
            ]
            steps.append(_QUOTIENT.fill(n=n, k=k, top=top, bottom=bottom, value=top // bottom))
        if given.m:
            steps.append(_PRODUCT.fill(chain=product(*(math.comb(n, k) for n, k in given.groups()))))
        return steps

    def answer(self, given: Team) -> str:
        return str(math.prod(math.comb(n, k) for n, k in given.groups()))

    def start(self, given: Team) -> State:
        return frozenset(render(_falling(k, k)) for _, k in given.groups() if k == 2)

    def settled(self, given: Team, state: State) -> bool:
        return _total(given) in state if given.m else _binomial(given.n, given.k) in state


def _falling(start: int, count: int) -> Term:
    term: Term = Fraction(start)
    for value in range(start - 1, start - count, -1):
        term = Apply("*", term, Fraction(value))
    return term


def _product_chain(term: Term) -> str:
    """Two factors at a time; the last product is written out."""
    if not isinstance(term, Apply) or not isinstance(term.left, Apply):
        assert isinstance(term, Apply)
        return product(whole(term.left), whole(term.right))
    inner = term.left
    assert isinstance(inner.left, Fraction)
    assert isinstance(inner.right, Fraction)
    return f"{render(term)} = {product(int(apply('*', inner.left, inner.right)), whole(term.right))}"


def _binomial(n: int, k: int) -> str:
    return f"binomial {n} {k}"


def _total(given: Team) -> str:
    return f"total {given}"


def _multiplied(given: Team, state: State, fields: Mapping[str, str]) -> State:
    sides = true_chain(fields["chain"])
    whole(sides[-1])
    for name, term in _expected(given, state):
        if term == sides[0]:
            return state | {name}
    raise Wrong


def _expected(given: Team, state: State) -> Iterator[tuple[str, Term]]:
    """The products that a step may work out now."""
    for n, k in given.groups():
        for start in (n, k):
            yield render(_falling(start, k)), _falling(start, k)
    if given.m and all(_binomial(n, k) in state for n, k in given.groups()):
        left, right = (Fraction(math.comb(n, k)) for n, k in given.groups())
        yield _total(given), Apply("*", left, right)


def _divided(given: Team, state: State, fields: Mapping[str, str]) -> State:
    n, k, top, bottom, value = (int(fields[name]) for name in ("n", "k", "top", "bottom", "value"))
    require((n, k) in given.groups() and {render(_falling(start, k)) for start in (n, k)} <= state)
    require((top, bottom) == (math.perm(n, k), math.factorial(k)) and value * bottom == top)
    return state | {_binomial(n, k)}


Choices.rules = (Rule(_QUOTIENT, _divided), Rule(_PRODUCT, _multiplied))
