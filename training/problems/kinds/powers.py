r"""Remainders of powers by repeated squaring: `3^{4}: 2 \cdot 2 = 4 = 0 \cdot 7 + 4`.

Law of a step: it multiplies two remainders found before whose exponents add up to its own, and reduces the product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from training.problems.draw import Draw
from training.problems.formula import Apply
from training.problems.kind import Kind, Rule, Wrong, require, true_chain, whole
from training.problems.kinds.divisors import division
from training.problems.template import Template
from training.problems.working import product

_REDUCE = Template("$<#a> = <division>$.")
_POWER = Template("$<#a>^{<#e>}$: $<chain> = <division>$.")


@dataclass(frozen=True, slots=True)
class Power:
    base: int
    exponent: int
    modulus: int


State = Mapping[int, int]
"""Remainders by exponent."""

_LEVELS = {
    1: ((2, 40), (2, 2), (3, 12), (1, 1)),
    2: ((2, 60), (2, 2), (5, 15), (1, 1)),
    3: ((2, 12), (3, 4), (3, 9), (2, 2)),
    4: ((2, 20), (3, 4), (3, 12), (2, 2)),
    5: ((2, 25), (4, 8), (6, 13), (2, 3)),
}
"""Base, exponent, modulus, number of multiplications."""


class Powers(Kind[Power, State]):
    name = "power"
    phrasings = (
        Template("What is the remainder when $<#a>^{<#e>}$ is divided by $<#m>$?"),
        Template(r"Find the remainder of $<#a>^{<#e>}$ modulo $<#m>$."),
        Template(r"Compute $<#a>^{<#e>} \bmod <#m>$."),
    )

    def draw(self, draw: Draw, level: int) -> Power:
        bases, exponents, moduli, (least, most) = _LEVELS[level]
        while True:
            power = Power(draw.integer(*bases), draw.integer(*exponents), draw.integer(*moduli))
            if power.base % power.modulus > 1 and least <= len(_schedule(power.exponent)) <= most:
                return power

    def fields(self, given: Power) -> dict[str, object]:
        return {"a": given.base, "e": given.exponent, "m": given.modulus}

    def read(self, fields: Mapping[str, str]) -> Power:
        power = Power(int(fields["a"]), int(fields["e"]), int(fields["m"]))
        if not (0 < power.base < 10**6 and 1 < power.exponent < 10**6 and 1 < power.modulus < 10**6):
            raise ValueError("not a power to reduce")
        return power

    def work(self, given: Power) -> list[str]:
        m, steps = given.modulus, []
        if given.base >= m:
            steps.append(_REDUCE.fill(a=given.base, division=_division(given.base, m)))
        known = {1: given.base % m}
        for left, right in _schedule(given.exponent):
            value = known[left] * known[right]
            steps.append(
                _POWER.fill(
                    a=given.base, e=left + right, chain=product(known[left], known[right]), division=_division(value, m)
                )
            )
            known[left + right] = value % m
        return steps

    def answer(self, given: Power) -> str:
        return str(pow(given.base, given.exponent, given.modulus))

    def start(self, given: Power) -> State:
        return {1: given.base} if given.base < given.modulus else {}

    def settled(self, given: Power, state: State) -> bool:
        return given.exponent in state


def _division(value: int, modulus: int) -> str:
    return f"{value // modulus} \\cdot {modulus} + {value % modulus}"


def _schedule(exponent: int) -> list[tuple[int, int]]:
    """The exponents multiplied: first the squarings, then the powers of two that make up the exponent."""
    bits = [1 << place for place in range(exponent.bit_length()) if exponent >> place & 1]
    pairs = [(1 << place, 1 << place) for place in range(exponent.bit_length() - 1)]
    total = bits[-1]
    for bit in reversed(bits[:-1]):
        pairs.append((total, bit))
        total += bit
    return pairs


def _reduced(given: Power, state: State, fields: Mapping[str, str]) -> State:
    sides = true_chain(f"{fields['a']} = {fields['division']}")
    require(whole(sides[0]) == given.base)
    return {**state, 1: division(fields["division"], given.modulus)}


def _multiplied(given: Power, state: State, fields: Mapping[str, str]) -> State:
    exponent = int(fields["e"])
    parts = f"{fields['chain']} = {fields['division']}".split(" = ")
    target = true_chain(" = ".join(parts))[0]
    require(int(fields["a"]) == given.base)
    if not isinstance(target, Apply) or target.sign != "*":
        raise Wrong
    factors = target.left, target.right
    require(any(_factors(state, e, exponent - e) == factors for e in state))
    return {**state, exponent: division(parts[-1], given.modulus)}


def _factors(state: State, left: int, right: int) -> tuple[Fraction, Fraction] | None:
    return (Fraction(state[left]), Fraction(state[right])) if right in state else None


Powers.rules = (Rule(_REDUCE, _reduced), Rule(_POWER, _multiplied))
