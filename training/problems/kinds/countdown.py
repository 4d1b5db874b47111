"""Countdown: reach a target from numbers, each used once. The answer is the results on the way, which are unique.

Law of a step: it uses two numbers that are there, gives its true result, says what is left, and the target can still be
reached. Found by exhaustive search, so at most five numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from training.problems.draw import Draw
from training.problems.formula import Apply, Term, chain, leaves, number, render
from training.problems.kind import Kind, Rule, Wrong, require, true_chain, whole
from training.problems.reader import parse
from training.problems.template import Template

MAX_NUMBERS = 4
_MOVE = Template("$<chain>$ leaves $<left>$.")
_LAST_MOVE = Template("$<chain>$ is the target.")
_CHECK = Template("Check: $<chain>$.")


@dataclass(frozen=True, slots=True)
class Puzzle:
    numbers: tuple[int, ...]
    """Ascending."""
    target: int


@dataclass(frozen=True, slots=True)
class State:
    left: tuple[int, ...]
    """The numbers that are left, ascending."""


Move = tuple[int, str, int, int]
"""Left, sign, right, result."""

_LEVELS = {1: (3, 9, 40), 2: (3, 12, 60), 3: (3, 20, 120), 4: (4, 9, 60), 5: (4, 12, 120)}
"""How many numbers, the greatest of them, the greatest target."""


class Countdown(Kind[Puzzle, State]):
    name = "countdown"
    phrasings = (
        Template(r"Use each of $<numbers>$ once with $+$, $-$ and $\cdot$ to reach $<#t>$. <ask>"),
        Template(r"Reach $<#t>$ from $<numbers>$, each used once, with $+$, $-$ and $\cdot$. <ask>"),
        Template(r"Combine all of $<numbers>$ by $+$, $-$ and $\cdot$, each once, to make $<#t>$. <ask>"),
    )
    ask_one = "Which result comes before the last?"
    ask_more = "Which results come before the last, in ascending order?"

    def draw(self, draw: Draw, level: int) -> Puzzle:
        count, greatest, most = _LEVELS[level]
        while True:
            numbers = tuple(sorted(draw.integer(1 if level < 3 else 2, greatest) for _ in range(count)))
            target = _random_target(draw, numbers)
            if 1 < target <= most and target not in numbers and len(ways(numbers, target)) == 1:
                return Puzzle(numbers, target)

    def fields(self, given: Puzzle) -> dict[str, object]:
        ask = self.ask_one if len(given.numbers) == 3 else self.ask_more
        return {"numbers": ", ".join(map(str, given.numbers)), "t": given.target, "ask": ask}

    def read(self, fields: Mapping[str, str]) -> Puzzle:
        numbers = tuple(whole(parse(item)) for item in fields["numbers"].split(","))
        puzzle = Puzzle(tuple(sorted(numbers)), int(fields["t"]))
        if not 3 <= len(numbers) <= MAX_NUMBERS or len(ways(puzzle.numbers, puzzle.target)) != 1:
            raise ValueError("not exactly one way")
        return puzzle

    def work(self, given: Puzzle) -> list[str]:
        left: tuple[int, ...] = given.numbers
        terms: list[tuple[int, Term]] = [(value, Fraction(value)) for value in left]
        steps = []
        for a, sign, b, value in _path(given):
            left = _without(left, a, b, value)
            done = f"{render(Apply(sign, Fraction(a), Fraction(b)))} = {value}"
            shown = ", ".join(map(str, left))
            steps.append(_MOVE.fill(chain=done, left=shown) if len(left) > 1 else _LAST_MOVE.fill(chain=done))
            terms.append((value, Apply(sign, _taken(terms, a), _taken(terms, b))))
        return [*steps, _CHECK.fill(chain=chain(terms[0][1]))]

    def answer(self, given: Puzzle) -> str:
        (results,) = ways(given.numbers, given.target)
        return _tuple(results)

    def start(self, given: Puzzle) -> State:
        return State(given.numbers)

    def settled(self, given: Puzzle, state: State) -> bool:
        return state.left == (given.target,)


def _tuple(results: tuple[int, ...]) -> str:
    return str(results[0]) if len(results) == 1 else f"({', '.join(map(str, results))})"


def moves(numbers: tuple[int, ...]) -> Iterator[Move]:
    """Everything that can be done next, without negative results and without zero."""
    for at, small in enumerate(numbers):
        for large in numbers[at + 1 :]:
            yield large, "+", small, large + small
            yield large, "*", small, large * small
            if large > small:
                yield large, "-", small, large - small


def _without(numbers: tuple[int, ...], a: int, b: int, value: int) -> tuple[int, ...]:
    left = list(numbers)
    left.remove(a)
    left.remove(b)
    return tuple(sorted([*left, value]))


@lru_cache(maxsize=20_000)
def ways(numbers: tuple[int, ...], target: int) -> frozenset[tuple[int, ...]]:
    """For each way to the target, the results before the last, ascending."""
    found: set[tuple[int, ...]] = set()
    for a, _, b, value in moves(numbers):
        if len(numbers) > 2:
            found.update(tuple(sorted((*rest, value))) for rest in ways(_without(numbers, a, b, value), target))
        elif value == target:
            found.add(())
    return frozenset(found)


def _random_target(draw: Draw, numbers: tuple[int, ...]) -> int:
    while len(numbers) > 1:
        a, _, b, value = draw.choice(list(moves(numbers)))
        numbers = _without(numbers, a, b, value)
    return numbers[0]


def _path(given: Puzzle) -> list[Move]:
    path, numbers = [], given.numbers
    while len(numbers) > 1:
        move = next(move for move in moves(numbers) if _reaches(_after(numbers, move), given.target))
        path.append(move)
        numbers = _after(numbers, move)
    return path


def _after(numbers: tuple[int, ...], move: Move) -> tuple[int, ...]:
    return _without(numbers, move[0], move[2], move[3])


def _reaches(numbers: tuple[int, ...], target: int) -> bool:
    return numbers == (target,) if len(numbers) == 1 else bool(ways(numbers, target))


def _taken(terms: list[tuple[int, Term]], value: int) -> Term:
    """The latest term of this value, which is then gone."""
    at = max(index for index, (own, _) in enumerate(terms) if own == value)
    return terms.pop(at)[1]


def _moved(given: Puzzle, state: State, fields: Mapping[str, str]) -> State:
    sides = true_chain(fields["chain"])
    target, value = sides[0], whole(sides[-1])
    if not isinstance(target, Apply) or target.sign not in "+-*":
        raise Wrong
    a, b = whole(target.left), whole(target.right)
    left = list(state.left)
    for used in (a, b):
        require(used in left)
        left.remove(used)
    after = tuple(sorted([*left, value]))
    written = [whole(parse(item)) for item in fields["left"].split(",")] if "left" in fields else [given.target]
    require(tuple(sorted(written)) == after and value > 0 and _reaches(after, given.target))
    return State(after)


def _checked(given: Puzzle, state: State, fields: Mapping[str, str]) -> State:
    sides = true_chain(fields["chain"])
    used = sorted(whole(leaf) for leaf in leaves(sides[0]))
    require(state.left == (given.target,) and used == list(given.numbers))
    require(fields["chain"].rsplit(" = ", 1)[-1] == number(given.target))
    return state


Countdown.rules = (Rule(_MOVE, _moved), Rule(_LAST_MOVE, _moved), Rule(_CHECK, _checked))
