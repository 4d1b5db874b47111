r"""What a scripted policy writes, and how a scripted verifier can tell whether it is right.

Law: a problem's right steps are fixed by its text. An arithmetic expression is solved operation by operation with true
values; any other problem gets values from a hash. A wrong step carries its error on to the answer.
"""

from __future__ import annotations

import re
from fractions import Fraction

from domain.moves import split_steps
from inference.engines.arithmetic import find_expression, operations
from inference.engines.script import Script, chance

_VALUE = re.compile(r"= (-?\d+(?:/\d+)?)\.")


def true_values(script: Script, problem: str) -> tuple[Fraction, ...]:
    """The value that each step must show; the last one is the answer."""
    return tuple(value for _, value in _plan(script, problem))


def right_answer(script: Script, problem: str) -> Fraction:
    return true_values(script, problem)[-1]


def solution_of(script: Script, problem: str, seed: int, prefix: str) -> tuple[str, ...]:
    """The steps that come after the prefix's own; a prefix that has all of them gets one closing step."""
    plan = _plan(script, problem)
    done = split_steps(prefix)
    error = sum(not right for right in judged_steps(script, problem, done))
    per_step = script.accuracy ** (1 / len(plan))
    steps: list[str] = []
    for index in range(min(len(done), len(plan) - 1), len(plan)):
        if chance(script.seed, "error", problem, seed, index) >= per_step:
            error += 1 + int(8 * chance(script.seed, "size", problem, seed, index))
        steps.append(_step(plan, index, error))
    return tuple(steps)


def judged_steps(script: Script, problem: str, steps: tuple[str, ...]) -> tuple[bool, ...]:
    """Whether each step shows the value that it must."""
    truth = true_values(script, problem)
    shown = [_VALUE.search(step) for step in steps]
    return tuple(
        match is not None and Fraction(match.group(1)) == truth[min(index, len(truth) - 1)]
        for index, match in enumerate(shown)
    )


def _plan(script: Script, problem: str) -> tuple[tuple[str, Fraction], ...]:
    expression = find_expression(problem)
    if expression is not None:
        return tuple((f"{left} {right}", value) for left, right, value in operations(expression))
    values = [Fraction(10 + int(90 * chance("value", problem, index))) for index in range(script.steps)]
    return tuple((f"part {index + 1}", value) for index, value in enumerate(values))


def _step(plan: tuple[tuple[str, Fraction], ...], index: int, error: int) -> str:
    title, value = plan[index]
    text = f"Step {index + 1}: {title} = {value + error}."
    last = index == len(plan) - 1
    return f"{text} The answer is \\boxed{{{_latex(value + error)}}}." if last else text


def _latex(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value)
    sign = "-" if value < 0 else ""
    return f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
