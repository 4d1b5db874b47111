"""Quadratic equations with whole roots: two numbers are looked for, and each root is checked by substitution.

Law of a step: the two numbers have the product and the sum that it names; the factors multiply out to the equation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from training.problems.draw import Draw
from training.problems.formula import Apply, Term, chain, evaluate, leaves, substitute
from training.problems.kind import Kind, Rule, require, true_chain
from training.problems.reader import parse
from training.problems.template import Template

_DIVIDE = Template("Divide by $<k>$: $<l> = 0$.")
_SEARCH = Template("Product $<product>$ and sum $<sum>$: $<p>$ and $<q>$.")
_FACTOR = Template("So $<l> = 0$.")
_ROOTS = Template("So $x = <r>$ or $x = <s>$.")
_CHECK = Template("Check $x = <r>$: $<chain>$.")


@dataclass(frozen=True, slots=True)
class Quadratic:
    """`a x^2 + b x + c = 0`."""

    a: int
    b: int
    c: int

    def __str__(self) -> str:
        middle = "" if self.b == 0 else f" {_sign(self.b)} {abs(self.b) if abs(self.b) != 1 else ''}x"
        last = "" if self.c == 0 else f" {_sign(self.c)} {abs(self.c)}"
        return f"{self.a if self.a != 1 else ''}x^2{middle}{last}"

    def monic(self) -> Quadratic:
        return Quadratic(1, self.b // self.a, self.c // self.a)

    def roots(self) -> tuple[int, int]:
        """Ascending, by the formula. Raises ValueError when they are not two whole numbers."""
        square = self.b * self.b - 4 * self.a * self.c
        root = isqrt(max(square, 0))
        doubled = -self.b - root, -self.b + root
        if self.a <= 0 or square <= 0 or root * root != square or any(value % (2 * self.a) for value in doubled):
            raise ValueError("not two whole roots")
        return doubled[0] // (2 * self.a), doubled[1] // (2 * self.a)


def _sign(value: int) -> str:
    return "-" if value < 0 else "+"


@dataclass(frozen=True, slots=True)
class State:
    divided: bool
    found: bool = False
    factored: bool = False
    solved: bool = False


_LEVELS = {1: (1, 7, 1), 2: (1, 9, 1), 3: (1, 12, 1), 4: (-9, 9, 1), 5: (-12, 12, 3)}
"""Least and greatest root, greatest leading coefficient."""


class Quadratics(Kind[Quadratic, State]):
    name = "quadratic"
    phrasings = (
        Template("Find all solutions of $<e> = 0$."),
        Template("Solve $<e> = 0$ by factoring."),
        Template("For which values of $x$ is $<e> = 0$?"),
    )

    def draw(self, draw: Draw, level: int) -> Quadratic:
        low, high, leading = _LEVELS[level]
        while True:
            r, s = draw.integer(low, high), draw.integer(low, high)
            a = draw.integer(min(2, leading), leading)
            if r != s and 0 not in (r, s, r + s):
                return Quadratic(a, -a * (r + s), a * r * s)

    def fields(self, given: Quadratic) -> dict[str, object]:
        return {"e": given}

    def read(self, fields: Mapping[str, str]) -> Quadratic:
        given = _polynomial(fields["e"])
        given.roots()
        if given.b % given.a or given.c % given.a:
            raise ValueError("the leading coefficient does not divide the others")
        return given

    def work(self, given: Quadratic) -> list[str]:
        monic, (r, s) = given.monic(), given.roots()
        steps = [] if given.a == 1 else [_DIVIDE.fill(k=given.a, l=monic)]
        steps.append(_SEARCH.fill(product=monic.c, sum=monic.b, p=-r, q=-s))
        steps.append(_FACTOR.fill(l=f"(x {_sign(-r)} {abs(r)})(x {_sign(-s)} {abs(s)})"))
        steps.append(_ROOTS.fill(r=r, s=s))
        return steps + [_CHECK.fill(r=root, chain=chain(_at(monic, root))) for root in (r, s)]

    def answer(self, given: Quadratic) -> str:
        return ", ".join(map(str, given.roots()))

    def start(self, given: Quadratic) -> State:
        return State(divided=given.a == 1)

    def settled(self, given: Quadratic, state: State) -> bool:
        return state.solved


def _at(monic: Quadratic, root: int) -> Term:
    return substitute(parse(str(monic)), {"x": Fraction(root)})


def _polynomial(text: str) -> Quadratic:
    """Raises ValueError when this is no polynomial of degree two with whole coefficients."""
    term = parse(text)
    at = [evaluate(term, {"x": Fraction(x)}) for x in range(6)]
    a, c = (at[2] - 2 * at[1] + at[0]) / 2, at[0]
    b = at[1] - a - c
    if any(value != a * x * x + b * x + c for x, value in enumerate(at)) or {1} != {v.denominator for v in (a, b, c)}:
        raise ValueError("not a quadratic polynomial")
    return Quadratic(int(a), int(b), int(c))


def _divided(given: Quadratic, state: State, fields: Mapping[str, str]) -> State:
    require(evaluate(parse(fields["k"])) == given.a and _polynomial(fields["l"]) == given.monic())
    return State(divided=True)


def _found(given: Quadratic, state: State, fields: Mapping[str, str]) -> State:
    product, total, p, q = (evaluate(parse(fields[name])) for name in ("product", "sum", "p", "q"))
    monic = given.monic()
    require(state.divided and [product, total] == [monic.c, monic.b] == [p * q, p + q])
    return State(divided=True, found=True)


def _factored(given: Quadratic, state: State, fields: Mapping[str, str]) -> State:
    term = parse(fields["l"])
    require(isinstance(term, Apply) and term.sign == "*" and all(_has_x(side) for side in (term.left, term.right)))
    require(state.found and _polynomial(fields["l"]) == given.monic())
    return State(divided=True, found=True, factored=True)


def _has_x(term: Term) -> bool:
    return "x" in leaves(term)


def _solved(given: Quadratic, state: State, fields: Mapping[str, str]) -> State:
    written = sorted(evaluate(parse(fields[name])) for name in "rs")
    require(state.factored and written == [Fraction(root) for root in given.roots()])
    return State(divided=True, found=True, factored=True, solved=True)


def _checked(given: Quadratic, state: State, fields: Mapping[str, str]) -> State:
    root, sides = evaluate(parse(fields["r"])), true_chain(fields["chain"])
    require(state.solved and root in given.roots())
    require(sides[0] in (_at(given.monic(), int(root)), _at(given, int(root))) and sides[-1] == Fraction(0))
    return state


Quadratics.rules = (
    Rule(_DIVIDE, _divided),
    Rule(_SEARCH, _found),
    Rule(_ROOTS, _solved),
    Rule(_FACTOR, _factored),
    Rule(_CHECK, _checked),
)
