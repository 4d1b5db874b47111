"""An exact step checker, for evaluation only: which steps of a written solution follow from the problem.

Law: a step is right when it does one operation that the expression so far allows, gives its true value, and writes the
expression that remains. After the first wrong step nothing is right any more, since nothing follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from domain.moves import split_steps
from training.problems.expression import Operation, Tree, apply, parse, ready, reductions

_PROBLEM = re.compile(r"What is (.+)\?", re.ASCII)
_STEP = re.compile(r"(\d+) ([-+*]) (\d+) = (\d+)(?:, so (.+))?", re.ASCII)
_ANSWER = re.compile(r"The answer is \$\\boxed\{(\d+)\}\$\.", re.ASCII)


def step_verdicts(problem: str, solution: str) -> tuple[bool, ...]:
    """For each step of `solution` (by `domain.moves.split_steps`), whether everything up to and with it is right."""
    match = _PROBLEM.fullmatch(problem)
    if match is None:
        raise ValueError("the problem is not of the form 'What is …?'")
    return _follow([parse(match.group(1))], split_steps(solution))


def is_right(problem: str, solution: str) -> bool:
    """Whether the solution is finished and every step of it is right."""
    steps = split_steps(solution)
    return bool(steps) and _ANSWER.fullmatch(steps[-1]) is not None and all(step_verdicts(problem, solution))


def _follow(states: list[Tree], steps: Sequence[str]) -> tuple[bool, ...]:
    """`states`: what may remain now; more than one when equal operations make the place ambiguous."""
    verdicts = []
    for step in steps:
        states = [after for state in states for after in _after(state, step)]
        verdicts.append(bool(states))
    return tuple(verdicts)


def _after(state: Tree, step: str) -> list[Tree]:
    """What may remain after a right step; nothing for a wrong one. After the final step nothing may follow."""
    answer = _ANSWER.fullmatch(step)
    if answer is not None:
        return [_END] if state == int(answer.group(1)) else []
    match = _STEP.fullmatch(step)
    if match is None or isinstance(state, int):
        return []
    left, sign, right, value = int(match[1]), match[2], int(match[3]), int(match[4])
    target = Operation(left, sign, right)
    if target not in ready(state) or apply(left, sign, right) != value:
        return []
    return _written(reductions(state, target, value), match[5])


_END: Tree = -1
"""The state after the final step; no step fits it, since no written number is negative."""


def _written(candidates: list[Tree], rest: str | None) -> list[Tree]:
    """Those candidates that the step writes after `so`; a single number is left unwritten."""
    if rest is None:
        return [tree for tree in candidates if isinstance(tree, int)]
    try:
        written = parse(rest)
    except ValueError:
        return []
    return [tree for tree in candidates if isinstance(tree, Operation) and tree == written]
