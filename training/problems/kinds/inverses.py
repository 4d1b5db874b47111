r"""Modular inverses: one more than a multiple of the modulus is looked for that the number divides, then checked.

Law of a step: the candidates are the first ones, in order, and only the last is a multiple.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd

from training.problems.draw import Draw
from training.problems.formula import Apply, Term
from training.problems.kind import Kind, Rule, Wrong, require, true_chain, whole
from training.problems.kinds.divisors import division
from training.problems.reader import parse
from training.problems.template import Template
from training.problems.working import product

_LIST = Template("One more than a multiple of $<#m>$: $<candidates>$.")
_FACTOR = Template(r"$<#n> = <#a> \cdot <#x>$, so $x = <#x>$.")
_CHECK = Template(r"Check: $<chain> = <division>$.")


@dataclass(frozen=True, slots=True)
class Inverse:
    a: int
    m: int


@dataclass(frozen=True, slots=True)
class State:
    found: int | None = None
    """The candidate that is a multiple."""
    solved: bool = False


_LEVELS = {1: ((2, 6), (5, 40), 3), 2: ((2, 7), (5, 50), 4), 3: ((3, 8), (10, 40), 5), 4: ((4, 9), (15, 50), 6),
           5: ((4, 11), (20, 70), 7)}  # fmt: skip
"""The number, the modulus, the most candidates."""


class Inverses(Kind[Inverse, State]):
    name = "inverse"
    phrasings = (
        Template(r"Find $x$ with $<#a>x \equiv 1 \pmod{<#m>}$ and $0 < x < <#m>$."),
        Template(r"What is the inverse of $<#a>$ modulo $<#m>$?"),
        Template(r"Which $x$ from $1$ to $<#m>$ solves $<#a>x \equiv 1 \pmod{<#m>}$?"),
    )

    def draw(self, draw: Draw, level: int) -> Inverse:
        numbers, moduli, most = _LEVELS[level]
        while True:
            given = Inverse(draw.integer(*numbers), draw.integer(*moduli))
            if given.a < given.m and gcd(given.a, given.m) == 1 and most // 2 <= len(_candidates(given)) <= most:
                return given

    def fields(self, given: Inverse) -> dict[str, object]:
        return {"a": given.a, "m": given.m}

    def read(self, fields: Mapping[str, str]) -> Inverse:
        given = Inverse(int(fields["a"]), int(fields["m"]))
        if not 1 < given.a < given.m < 10**4 or gcd(given.a, given.m) != 1:
            raise ValueError("no inverse")
        return given

    def work(self, given: Inverse) -> list[str]:
        candidates = _candidates(given)
        n, x = candidates[-1], candidates[-1] // given.a
        check = f"{n // given.m} \\cdot {given.m} + 1"
        return [
            _LIST.fill(m=given.m, candidates=", ".join(map(str, candidates))),
            _FACTOR.fill(n=n, a=given.a, x=x),
            _CHECK.fill(chain=product(given.a, x), division=check),
        ]

    def answer(self, given: Inverse) -> str:
        return str(pow(given.a, -1, given.m))

    def start(self, given: Inverse) -> State:
        return State()

    def settled(self, given: Inverse, state: State) -> bool:
        return state.solved


def _candidates(given: Inverse) -> list[int]:
    found = [given.m + 1]
    while found[-1] % given.a:
        found.append(found[-1] + given.m)
    return found


def _listed(given: Inverse, state: State, fields: Mapping[str, str]) -> State:
    written = [whole(parse(item)) for item in fields["candidates"].split(",")]
    require(int(fields["m"]) == given.m and written == _candidates(given))
    return State(written[-1])


def _factored(given: Inverse, state: State, fields: Mapping[str, str]) -> State:
    n, a, x = (int(fields[name]) for name in "nax")
    require(n == state.found and a == given.a and n == a * x)
    return State(n, solved=True)


def _checked(given: Inverse, state: State, fields: Mapping[str, str]) -> State:
    parts = f"{fields['chain']} = {fields['division']}".split(" = ")
    sides = true_chain(" = ".join(parts))
    require(state.solved and division(parts[-1], given.m) == 1)
    require(_is_product(sides[0], given.a, int(state.found or 0) // given.a))
    return state


def _is_product(term: Term, left: int, right: int) -> bool:
    if not isinstance(term, Apply) or term.sign != "*":
        raise Wrong
    return {whole(term.left), whole(term.right)} == {left, right}


Inverses.rules = (Rule(_LIST, _listed), Rule(_FACTOR, _factored), Rule(_CHECK, _checked))
