"""Level-graded arithmetic with worked solutions, made from a seed.

Law: the same seed gives the same problems; every solution passes `checker.is_right` and boxes its answer.
All values on the way are whole numbers from 0 to the level's ceiling.
"""

from __future__ import annotations

import random
from collections.abc import Container, Iterator
from dataclasses import dataclass

from domain.moves import STEP_SEPARATOR
from training.problems.expression import Operation, Tree, apply, ready, reductions, render


@dataclass(frozen=True, slots=True)
class Level:
    """What makes a problem of this level hard: how many operations, and how large the numbers are."""

    operations: int
    products: tuple[int, int]
    """Least and greatest number of multiplications."""
    addend: int
    """Largest number that is added or taken away."""
    factors: tuple[int, int]
    """Largest written factor on either side of a multiplication, smaller one last."""
    ceiling: int
    """Largest value on the way."""


LEVELS: dict[int, Level] = {
    1: Level(operations=2, products=(0, 1), addend=12, factors=(9, 5), ceiling=50),
    2: Level(operations=2, products=(0, 1), addend=50, factors=(12, 9), ceiling=120),
    3: Level(operations=3, products=(0, 1), addend=50, factors=(12, 9), ceiling=150),
    4: Level(operations=4, products=(1, 1), addend=60, factors=(15, 9), ceiling=250),
    5: Level(operations=4, products=(1, 2), addend=99, factors=(30, 9), ceiling=500),
}


MAX_MISSES = 1000
"""Known problems in a row after which a level counts as exhausted."""


@dataclass(frozen=True, slots=True)
class Example:
    """One problem with its worked solution."""

    id: str
    problem: str
    answer: str
    level: int
    solution: str


def generate(seed: int, level: int, count: int, *, prefix: str = "a", exclude: Container[str] = ()) -> list[Example]:
    """`count` different problems of one level, none of whose texts is in `exclude`.

    Raises ValueError when the level has too few of them.
    """
    found: list[Example] = []
    seen: set[str] = set()
    missed = 0
    for tree in _trees(random.Random(f"arithmetic/{seed}/{level}"), LEVELS[level]):
        problem = f"What is {render(tree)}?"
        if problem in seen or problem in exclude:
            missed += 1
            if missed > MAX_MISSES:
                raise ValueError(f"level {level} has too few different problems for {count}: ask for fewer")
            continue
        missed = 0
        seen.add(problem)
        answer, solution = solve(tree)
        found.append(Example(f"{prefix}{level}-{len(found):05d}", problem, answer, level, solution))
        if len(found) == count:
            break
    return found


def solve(tree: Tree) -> tuple[str, str]:
    """The answer and the worked solution: one operation a step, the innermost and leftmost first."""
    steps = []
    while isinstance(tree, Operation):
        target = ready(tree)[0]
        value = value_of(target)
        done = f"{render(target)} = {value}"
        tree = reductions(tree, target, value)[0]
        steps.append(done if isinstance(tree, int) else f"{done}, so {render(tree)}")
    steps.append(f"The answer is $\\boxed{{{tree}}}$.")
    return str(tree), STEP_SEPARATOR.join(steps)


def value_of(target: Operation) -> int:
    """The exact value of an operation on two numbers."""
    assert isinstance(target.left, int)
    assert isinstance(target.right, int)
    return apply(target.left, target.sign, target.right)


def _trees(rng: random.Random, level: Level) -> Iterator[Tree]:
    """An endless stream of trees that fit the level."""
    while True:
        products = rng.randint(*level.products)
        signs = ["*"] * products + rng.choices("+-", k=level.operations - products)
        rng.shuffle(signs)
        tree = _draw(rng, level, signs)
        if _fits(tree, level) is not None:
            yield tree


def _draw(rng: random.Random, level: Level, signs: list[str]) -> Tree:
    """A random shape with these operations; a number under a product is drawn from the factors."""
    if not signs:
        return rng.randint(1, level.addend)
    left = rng.randrange(len(signs))
    sides = signs[:left], signs[left + 1 :]
    if signs[left] != "*":
        return Operation(_draw(rng, level, sides[0]), signs[left], _draw(rng, level, sides[1]))
    limits = rng.sample(level.factors, 2)
    factors = [_factor(rng, level, side, limit) for side, limit in zip(sides, limits, strict=True)]
    return Operation(factors[0], "*", factors[1])


def _factor(rng: random.Random, level: Level, signs: list[str], limit: int) -> Tree:
    return _draw(rng, level, signs) if signs else rng.randint(2, limit)


def _fits(tree: Tree, level: Level) -> int | None:
    """The value, or None where something on the way is negative, too large, or a product too hard for the level."""
    if isinstance(tree, int):
        return tree
    left, right = _fits(tree.left, level), _fits(tree.right, level)
    if left is None or right is None:
        return None
    if tree.sign == "*" and (max(left, right) > level.factors[0] or min(left, right) > level.factors[1]):
        return None
    value = apply(left, tree.sign, right)
    return value if 0 <= value <= level.ceiling else None
