"""Two linear equations in two unknowns, solved by elimination, with a check in the second equation.

Law of a step: its equations hold at the solution, which for a system with one solution means that they follow from
it; what the step says it does (a multiple, a sum, a difference) is checked as polynomials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import gcd

from training.problems.draw import Draw
from training.problems.formula import Term, chain, evaluate, number, substitute
from training.problems.kind import Kind, Rule, require, true_chain
from training.problems.reader import parse
from training.problems.template import Template

_TIMES = Template("$<k>$ times the <which>: $<l> = <r>$.")
_ADD = Template("Add: $<l> = <r>$.")
_SUBTRACT = Template("Subtract: $<l> = <r>$.")
_X = Template("So $x = <v>$.")
_PUT = Template("Put $x = <v>$ into the first: $<l> = <r>$.")
_Y = Template("So $<l> = <r>$ and $y = <v>$.")
_Y_AT_ONCE = Template("So $y = <v>$.")
_CHECK = Template("Check in the second: $<chain>$.")


@dataclass(frozen=True, slots=True)
class Plane:
    """`a x + b y = c`, all sides moved: the coefficients of left minus right are (a, b, -c)."""

    a: Fraction
    b: Fraction
    c: Fraction

    def times(self, k: Fraction) -> Plane:
        return Plane(k * self.a, k * self.b, k * self.c)

    def plus(self, other: Plane, k: int) -> Plane:
        return Plane(self.a + k * other.a, self.b + k * other.b, self.c + k * other.c)

    def left(self) -> str:
        if not self.a:
            return _times(self.b, "y")
        if not self.b:
            return _times(self.a, "x")
        return f"{_times(self.a, 'x')} {'+' if self.b > 0 else '-'} {_times(abs(self.b), 'y')}"


def _times(coefficient: Fraction, name: str) -> str:
    return {1: name, -1: f"-{name}"}.get(int(coefficient)) or f"{number(coefficient)}{name}"


@dataclass(frozen=True, slots=True)
class System:
    first: Plane
    second: Plane

    def solution(self) -> tuple[Fraction, Fraction]:
        """By Cramer's rule. Raises ValueError when there is not exactly one."""
        p, q = self.first, self.second
        determinant = p.a * q.b - q.a * p.b
        if determinant == 0:
            raise ValueError("not exactly one solution")
        return (p.c * q.b - q.c * p.b) / determinant, (p.a * q.c - q.a * p.c) / determinant


@dataclass(frozen=True, slots=True)
class State:
    first: Plane
    second: Plane
    """The equations as multiplied so far."""
    known: frozenset[str] = field(default=frozenset())
    eliminated: Plane | None = None
    put_in: bool = False


_LEVELS = {  # coefficients, size of the solution, negative ones
    1: (1, 10, False),
    2: (3, 6, False),
    3: (3, 10, False),
    4: (3, 9, True),
    5: (4, 12, True),
}


class Systems(Kind[System, State]):
    name = "system"
    phrasings = (
        Template("Solve the system $<l> = <r>$ and $<m> = <s>$. Give $(x, y)$."),
        Template("Find $(x, y)$ if $<l> = <r>$ and $<m> = <s>$."),
        Template("If $<l> = <r>$ and $<m> = <s>$, what is $(x, y)$?"),
    )

    def draw(self, draw: Draw, level: int) -> System:
        largest, size, negative = _LEVELS[level]
        x, y = (draw.nonzero(size) if negative else draw.integer(1, size) for _ in range(2))
        while True:
            a, d = draw.integer(1, largest), draw.integer(1, largest)
            b, e = draw.integer(1, largest), draw.nonzero(largest)
            if a * e != d * b and (level == 1 or max(a, d, b, abs(e)) > largest // 2 + 1):
                numbers = (Fraction(n) for n in (a, b, a * x + b * y, d, e, d * x + e * y))
                return System(Plane(*(next(numbers) for _ in range(3))), Plane(*numbers))

    def fields(self, given: System) -> dict[str, object]:
        p, q = given.first, given.second
        return {"l": p.left(), "r": number(p.c), "m": q.left(), "s": number(q.c)}

    def read(self, fields: Mapping[str, str]) -> System:
        system = System(_plane(fields["l"], fields["r"]), _plane(fields["m"], fields["s"]))
        system.solution()
        return system

    def work(self, given: System) -> list[str]:
        p, q = given.first, given.second
        shared = gcd(int(p.b), int(q.b))
        scaled = []
        steps = []
        for which, plane, k in (("first", p, abs(q.b) / shared), ("second", q, abs(p.b) / shared)):
            scaled.append(plane.times(k))
            if k != 1:
                steps.append(_TIMES.fill(which=which, k=number(k), l=scaled[-1].left(), r=number(scaled[-1].c)))
        opposite = scaled[0].b == -scaled[1].b
        one = scaled[0].plus(scaled[1], 1 if opposite else -1)
        steps.append((_ADD if opposite else _SUBTRACT).fill(l=one.left(), r=number(one.c)))
        x = one.c / one.a
        if one.a != 1:
            steps.append(_X.fill(v=number(x)))
        steps.append(_PUT.fill(v=number(x), l=_shifted(p.a * x, p.b), r=number(p.c)))
        rest = Plane(Fraction(0), p.b, p.c - p.a * x)
        y = rest.c / rest.b
        form = _Y_AT_ONCE if p.b == 1 else _Y
        steps.append(form.fill(l=rest.left(), r=number(rest.c), v=number(y)))
        return [*steps, _CHECK.fill(chain=chain(_substituted(q, x, y)))]

    def answer(self, given: System) -> str:
        x, y = given.solution()
        return f"({number(x)}, {number(y)})"

    def start(self, given: System) -> State:
        return State(given.first, given.second)

    def settled(self, given: System, state: State) -> bool:
        return state.known == {"x", "y"}


def _shifted(base: Fraction, slope: Fraction) -> str:
    return f"{number(base)} {'+' if slope > 0 else '-'} {_times(abs(slope), 'y')}"


def _substituted(plane: Plane, x: Fraction, y: Fraction) -> Term:
    return substitute(parse(plane.left()), {"x": x, "y": y})


def _plane(left: str, right: str) -> Plane:
    """Raises ValueError when the equation is not linear in x and y."""
    terms = parse(left), parse(right)

    def at(x: int, y: int) -> Fraction:
        names = {"x": Fraction(x), "y": Fraction(y)}
        return evaluate(terms[0], names) - evaluate(terms[1], names)

    base = at(0, 0)
    a, b = at(1, 0) - base, at(0, 1) - base
    if any(at(x, y) != a * x + b * y + base for x in range(-2, 3) for y in range(-2, 3)):
        raise ValueError("not linear")
    return Plane(a, b, -base)


def _multiplied(given: System, state: State, fields: Mapping[str, str]) -> State:
    written, k = _plane(fields["l"], fields["r"]), evaluate(parse(fields["k"]))
    if fields["which"] not in ("first", "second"):
        raise ValueError("which equation?")
    own = state.first if fields["which"] == "first" else state.second
    require(k != 0 and written == own.times(k))
    first, second = (written, state.second) if own is state.first else (state.first, written)
    return State(first, second, state.known)


def _combined(sign: int) -> Callable[[System, State, Mapping[str, str]], State]:
    def follow(given: System, state: State, fields: Mapping[str, str]) -> State:
        written = _plane(fields["l"], fields["r"])
        require(written == state.first.plus(state.second, sign) and written.b == 0 and written.a != 0)
        known = state.known | {"x"} if written.a == 1 else state.known
        return State(state.first, state.second, known, written)

    return follow


def _found_x(given: System, state: State, fields: Mapping[str, str]) -> State:
    require(state.eliminated is not None and evaluate(parse(fields["v"])) == given.solution()[0])
    return State(state.first, state.second, state.known | {"x"}, state.eliminated)


def _put_in(given: System, state: State, fields: Mapping[str, str]) -> State:
    """The first equation of the problem with the value of x in it."""
    x, first = given.solution()[0], given.first
    require("x" in state.known and evaluate(parse(fields["v"])) == x)
    require(line_in_y(parse(fields["l"])) == (first.b, first.a * x) and evaluate(parse(fields["r"])) == first.c)
    return State(state.first, state.second, state.known, state.eliminated, put_in=True)


def line_in_y(term: Term) -> tuple[Fraction, Fraction]:
    """Slope and base. Raises ValueError when the term is not linear in y alone."""
    values = [evaluate(term, {"y": Fraction(at)}) for at in range(5)]
    steps = {after - before for before, after in pairwise(values)}
    if len(steps) != 1:
        raise ValueError("not linear")
    return steps.pop(), values[0]


def _found_y(given: System, state: State, fields: Mapping[str, str]) -> State:
    require(state.put_in and evaluate(parse(fields["v"])) == given.solution()[1])
    if "l" in fields:
        first, x = given.first, given.solution()[0]
        written = line_in_y(parse(fields["l"])), evaluate(parse(fields["r"]))
        require(written == ((first.b, Fraction(0)), first.c - first.a * x))
    return State(state.first, state.second, state.known | {"y"}, state.eliminated, put_in=True)


def _checked(given: System, state: State, fields: Mapping[str, str]) -> State:
    sides = true_chain(fields["chain"])
    require(state.known == {"x", "y"} and sides[0] == _substituted(given.second, *given.solution()))
    require(isinstance(sides[-1], Fraction) and sides[-1] == given.second.c)
    return state


Systems.rules = (
    Rule(_TIMES, _multiplied),
    Rule(_ADD, _combined(1)),
    Rule(_SUBTRACT, _combined(-1)),
    Rule(_X, _found_x),
    Rule(_PUT, _put_in),
    Rule(_Y, _found_y),
    Rule(_Y_AT_ONCE, _found_y),
    Rule(_CHECK, _checked),
)
