"""Worked solutions with one planted error, after which the working goes on as if nothing had happened.

Law: a corrupted solution differs from the right one, and everything before the first difference is right. The error is
of the kinds that small models make: a wrong digit, a slip in a carry, or a number copied wrongly.
"""

from __future__ import annotations

import random

from domain.moves import STEP_SEPARATOR
from training.problems.arithmetic import solve, value_of
from training.problems.expression import Operation, Tree, parse, ready, reductions, render


def corrupted(problem: str, rng: random.Random) -> str:
    """A wrong solution of `problem` (of the form `What is …?`)."""
    tree = parse(problem.removeprefix("What is ").removesuffix("?"))
    head, tree = _right_steps(tree, rng.randrange(_operations(tree)))
    target = ready(tree)[0]
    kind = rng.random()
    if kind < 0.75 or not _has_rest(tree):
        wrong = wrong_number(value_of(target), rng)
        middle, rest = _step(tree, target, wrong, wrong)
    else:
        middle, rest = _miscopied(tree, target, rng)
    return STEP_SEPARATOR.join([*head, middle, solve(rest)[1]])


def wrong_number(value: int, rng: random.Random) -> int:
    """A number near `value` that is not `value`: one digit changed, off by a carry, or two digits swapped."""
    while True:
        text = str(value)
        place = rng.randrange(len(text))
        kind = rng.random()
        if kind < 0.6:
            wrong = int(text[:place] + rng.choice("0123456789") + text[place + 1 :])
        elif kind < 0.9:
            wrong = value + rng.choice((-1, 1)) * 10 ** rng.randrange(len(text))
        else:
            wrong = int(text[:place] + text[place : place + 2][::-1] + text[place + 2 :])
        if wrong != value and wrong >= 0:
            return wrong


def _operations(tree: Tree) -> int:
    return 0 if isinstance(tree, int) else 1 + _operations(tree.left) + _operations(tree.right)


def _has_rest(tree: Tree) -> bool:
    return _operations(tree) > 1


def _right_steps(tree: Tree, count: int) -> tuple[list[str], Tree]:
    steps = []
    for _ in range(count):
        target = ready(tree)[0]
        step, tree = _step(tree, target, value_of(target), value_of(target))
        steps.append(step)
    return steps, tree


def _step(tree: Tree, target: Operation, result: int, carried: int) -> tuple[str, Tree]:
    """One step that writes `result` and goes on with `carried`."""
    rest = reductions(tree, target, carried)[0]
    done = f"{render(target)} = {result}"
    return (done if isinstance(rest, int) else f"{done}, so {render(rest)}"), rest


def _miscopied(tree: Tree, target: Operation, rng: random.Random) -> tuple[str, Tree]:
    """The result is right, and a number or a sign of what remains is written down wrongly."""
    value = value_of(target)
    rest = _spoilt(reductions(tree, target, value)[0], rng)
    return f"{render(target)} = {value}, so {render(rest)}", rest


def _spoilt(tree: Tree, rng: random.Random) -> Tree:
    if isinstance(tree, int):
        return wrong_number(tree, rng)
    kind = rng.random()
    if kind < 0.2:
        return Operation(tree.left, rng.choice("+-*".replace(tree.sign, "")), tree.right)
    if kind < 0.6:
        return Operation(_spoilt(tree.left, rng), tree.sign, tree.right)
    return Operation(tree.left, tree.sign, _spoilt(tree.right, rng))
