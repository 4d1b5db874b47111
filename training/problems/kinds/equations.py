"""Linear equations in one unknown, solved by doing the same to both sides, with a check by substitution.

Law of a step: each side becomes, as a polynomial, what the step says; the check puts the solution into the equation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from training.problems.draw import Draw
from training.problems.formula import Term, chain, evaluate, number, render, substitute
from training.problems.kind import Kind, Rule, Wrong, require, true_chain
from training.problems.reader import parse
from training.problems.template import Template

X = "x"
_EXPAND = Template("Expand and collect: $<l> = <r>$.")
_ADD = Template("Add $<k>$ to both sides: $<l> = <r>$.")
_SUBTRACT = Template("Subtract $<k>$ from both sides: $<l> = <r>$.")
_DIVIDE = Template("Divide both sides by $<k>$: $<l> = <r>$.")
_CHECK = Template("Check: $<chain>$.")
_CHECK_BOTH = Template("Check: $<chain>$ and $<other>$.")


@dataclass(frozen=True, slots=True)
class Line:
    """The polynomial `slope * x + base`."""

    slope: Fraction
    base: Fraction

    def plus(self, other: Line, factor: Fraction) -> Line:
        return Line(self.slope + factor * other.slope, self.base + factor * other.base)

    def times(self, factor: Fraction) -> Line:
        return Line(self.slope * factor, self.base * factor)


@dataclass(frozen=True, slots=True)
class Equation:
    left: Term
    right: Term


State = tuple[Line, Line]


def line_of(term: Term) -> Line:
    """Raises ValueError when the term is not linear in x."""
    values = [evaluate(term, {X: Fraction(at)}) for at in range(6)]
    steps = {after - before for before, after in pairwise(values)}
    if len(steps) != 1:
        raise ValueError("not linear")
    return Line(steps.pop(), values[0])


def write_line(line: Line) -> str:
    """`3x + 5`, `-x`, `4`."""
    parts = []
    if line.slope:
        parts.append({1: "x", -1: "-x"}.get(int(line.slope)) or f"{number(line.slope)}x")
    if line.base or not parts:
        sign = ("- " if line.base < 0 else "+ ") if parts else ("-" if line.base < 0 else "")
        parts.append(sign + number(abs(line.base)))
    return " ".join(parts)


class Equations(Kind[Equation, State]):
    name = "equation"
    phrasings = (
        Template("Solve $<l> = <r>$ for $x$."),
        Template("Find $x$ such that $<l> = <r>$."),
        Template("What is the value of $x$ if $<l> = <r>$?"),
    )

    def draw(self, draw: Draw, level: int) -> Equation:
        while True:
            left, right = _SHAPES[level](draw)
            equation = Equation(parse(left), parse(right))
            lines = line_of(equation.left), line_of(equation.right)
            slope = abs(lines[0].slope - lines[1].slope)
            if slope > 1 and max(abs(lines[0].base), abs(lines[1].base)) <= 500:
                return equation

    def fields(self, given: Equation) -> dict[str, object]:
        return {"l": _plain(given.left), "r": _plain(given.right)}

    def read(self, fields: Mapping[str, str]) -> Equation:
        equation = Equation(parse(fields["l"]), parse(fields["r"]))
        if line_of(equation.left).slope == line_of(equation.right).slope:
            raise ValueError("no single solution")
        return equation

    def work(self, given: Equation) -> list[str]:
        left, right = line_of(given.left), line_of(given.right)
        steps = []
        if (write_line(left), write_line(right)) != (_plain(given.left), _plain(given.right)):
            steps.append(_EXPAND.fill(l=write_line(left), r=write_line(right)))
        for part in (Line(right.slope, Fraction(0)), Line(Fraction(0), left.base)):
            if part != Line(Fraction(0), Fraction(0)):
                left, right, step = _moved(left, right, part)
                steps.append(step)
        if left.slope != 1:
            slope = left.slope
            left, right = left.times(1 / slope), right.times(1 / slope)
            steps.append(_DIVIDE.fill(k=number(slope), l=write_line(left), r=write_line(right)))
        return [*steps, _check_step(given, right.base)]

    def answer(self, given: Equation) -> str:
        return number(_solution(given))

    def start(self, given: Equation) -> State:
        return line_of(given.left), line_of(given.right)

    def settled(self, given: Equation, state: State) -> bool:
        return state[0] == Line(Fraction(1), Fraction(0)) and state[1].slope == 0


def _plain(term: Term) -> str:
    r"""Products with the unknown and with brackets are written without a dot."""
    return render(term).replace(r" \cdot ", "").replace("-1x", "-x")


def _moved(left: Line, right: Line, part: Line) -> tuple[Line, Line, str]:
    """`part` taken from both sides, said as an addition when it is negative."""
    left, right = left.plus(part, Fraction(-1)), right.plus(part, Fraction(-1))
    negative = part.slope < 0 or part.base < 0
    shown = write_line(part.times(Fraction(-1)) if negative else part)
    return left, right, (_ADD if negative else _SUBTRACT).fill(k=shown, l=write_line(left), r=write_line(right))


def _solution(given: Equation) -> Fraction:
    """By two evaluations of the difference of the sides: exact for a line."""
    at = [evaluate(given.left, {X: Fraction(x)}) - evaluate(given.right, {X: Fraction(x)}) for x in (0, 1)]
    return at[0] / (at[0] - at[1])


def _check_step(given: Equation, value: Fraction) -> str:
    left, right = (substitute(side, {X: value}) for side in (given.left, given.right))
    if isinstance(right, Fraction):
        return _CHECK.fill(chain=chain(left))
    return _CHECK_BOTH.fill(chain=chain(left), other=chain(right))


def _signed(value: int) -> str:
    return f"+ {value}" if value >= 0 else f"- {-value}"


def _simple(draw: Draw, slopes: tuple[int, int], bases: int, x: int) -> tuple[str, str]:
    a, b = draw.integer(*slopes), draw.nonzero(bases)
    return f"{a}x {_signed(b)}", str(a * x + b)


def _two_sided(draw: Draw, slopes: int, bases: int, size: int) -> tuple[str, str]:
    a, c, b, x = draw.integer(3, slopes), draw.nonzero(slopes - 3), draw.nonzero(bases), draw.nonzero(size)
    return f"{a}x {_signed(b)}", f"{c}x {_signed((a - c) * x + b)}"


def _bracketed(draw: Draw) -> tuple[str, str]:
    a, b, c, d, x = draw.integer(2, 6), draw.nonzero(9), draw.nonzero(20), draw.nonzero(6), draw.nonzero(9)
    return f"{a}(x {_signed(b)}) {_signed(c)}", f"{d}x {_signed(a * (x + b) + c - d * x)}"


_SHAPES: dict[int, Callable[[Draw], tuple[str, str]]] = {
    1: lambda draw: _simple(draw, (2, 9), 10, draw.integer(1, 9)),
    2: lambda draw: _simple(draw, (2, 9), 30, draw.nonzero(12)),
    3: lambda draw: _two_sided(draw, 9, 20, 9),
    4: lambda draw: _two_sided(draw, 12, 40, 12),
    5: _bracketed,
}


def _sides(fields: Mapping[str, str]) -> State:
    return line_of(parse(fields["l"])), line_of(parse(fields["r"]))


def _expanded(given: Equation, state: State, fields: Mapping[str, str]) -> State:
    require(_sides(fields) == state)
    return state


def _shifted(sign: int) -> Callable[[Equation, State, Mapping[str, str]], State]:
    def follow(given: Equation, state: State, fields: Mapping[str, str]) -> State:
        part = line_of(parse(fields["k"]))
        after = _sides(fields)
        require(after == (state[0].plus(part, Fraction(sign)), state[1].plus(part, Fraction(sign))))
        return after

    return follow


def _divided(given: Equation, state: State, fields: Mapping[str, str]) -> State:
    divisor = line_of(parse(fields["k"]))
    after = _sides(fields)
    require(divisor.slope == 0 and divisor.base != 0)
    require(after == (state[0].times(1 / divisor.base), state[1].times(1 / divisor.base)))
    return after


def _checked(given: Equation, state: State, fields: Mapping[str, str]) -> State:
    """The two sides of the equation at the value found, each worked out to a number."""
    if state[0] != Line(Fraction(1), Fraction(0)) or state[1].slope != 0:
        raise Wrong
    left = true_chain(fields["chain"])
    names = {X: state[1].base}
    right = true_chain(fields["other"]) if "other" in fields else [substitute(given.right, names), left[-1]]
    require(left[0] == substitute(given.left, names) and right[0] == substitute(given.right, names))
    require(isinstance(left[-1], Fraction) and left[-1] == right[-1])
    return state


Equations.rules = (
    Rule(_EXPAND, _expanded),
    Rule(_ADD, _shifted(1)),
    Rule(_SUBTRACT, _shifted(-1)),
    Rule(_DIVIDE, _divided),
    Rule(_CHECK_BOTH, _checked),
    Rule(_CHECK, _checked),
)
