"""Exact verdicts on every step of a solution, **for evaluation only**: no label for training may come from here.

Law: a step is right when every equation in it is true and it follows from the problem and the steps before; after the
first step that is not right, nothing follows any more. Exact rationals; nothing a model wrote is ever executed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from domain.moves import split_steps
from inference.answers.extract import answer_of, extract_answer
from training.problems.generator import recognise
from training.problems.kind import LAST, Kind, Wrong

_recognised = lru_cache(maxsize=4096)(recognise)
"""Many solutions of one problem are checked; a kind and its givens are frozen."""


class StepVerdict(StrEnum):
    RIGHT = "right"
    WRONG = "wrong"
    """False, or not a consequence of what came before."""
    IRRELEVANT = "irrelevant"
    """Not a step that this kind of problem knows, or not readable."""


@dataclass(frozen=True, slots=True)
class StepVerdicts:
    steps: tuple[StepVerdict, ...]
    """One for each step of `domain.moves.split_steps`."""
    first_error: int | None
    """Index of the first step that is not right; None when all are."""
    answer_right: bool
    """Whether the final answer is the exact one, however it was found."""


def check_solution(problem: str, solution: str) -> StepVerdicts:
    """Raises ValueError when the problem's text is none that a generator writes."""
    found = _recognised(problem)
    if found is None:
        raise ValueError("this problem is of no kind that has an exact checker")
    kind, given = found
    steps = _verdicts(kind, given, split_steps(solution))
    first_error = next((at for at, verdict in enumerate(steps) if verdict is not StepVerdict.RIGHT), None)
    return StepVerdicts(steps, first_error, _is_answer(kind.answer(given), solution))


def _verdicts(kind: Kind[Any, Any], given: Any, steps: tuple[str, ...]) -> tuple[StepVerdict, ...]:
    verdicts: list[StepVerdict] = []
    state, ended = kind.start(given), False
    for step in steps:
        if ended:
            verdicts.append(StepVerdict.WRONG)
            continue
        try:
            last = LAST.match(step)
            state = state if last else _next_state(kind, given, state, step)
            if last and not (kind.settled(given, state) and _same(last["answer"], kind.answer(given))):
                raise Wrong
            verdicts.append(StepVerdict.RIGHT)
            ended = last is not None
        except Wrong:
            verdicts.append(StepVerdict.WRONG)
            ended = True
        except ValueError:
            verdicts.append(StepVerdict.IRRELEVANT)
            ended = True
    return tuple(verdicts)


def _next_state(kind: Kind[Any, Any], given: Any, state: Any, step: str) -> Any:
    for rule in kind.rules:
        fields = rule.form.match(step)
        if fields is not None:
            return rule.follow(given, state, fields)
    raise ValueError("no such step")


def _is_answer(expected: str, solution: str) -> bool:
    found = extract_answer(solution)
    return found is not None and _same(found.text, expected)


def _same(text: str, expected: str) -> bool:
    given, exact = answer_of(text), answer_of(expected)
    return given is not None and exact is not None and given.key == exact.key
