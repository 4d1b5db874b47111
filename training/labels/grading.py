"""Whether an answer is right, as every evaluation grades it (`inference.answers.grade`).

Law: exact comparison of normal forms first, symbols where that can't decide; a solution that did not finish, or that
names no answer, is not right.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from domain.errors import InvalidRequest
from domain.moves import Answer
from inference.answers import grade
from inference.answers.equivalence import SymbolicEquivalence
from inference.answers.extract import answer_of
from training.problems.files import ProblemRecord

TIMEOUT_S = 10.0
"""More patience than serving has, so that a busy machine does not change a label."""


class Grader:
    """Remembers what it has compared. Not for use within a running event loop."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], bool] = {}
        self._loop: asyncio.Runner | None = None
        self._grader: grade.Grader | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._loop is not None and self._grader is not None:
            self._loop.run(self._grader.close())
            self._loop.close()

    def right(self, answer: Answer | None, gold: Answer) -> bool:
        if answer is None:
            return False
        if answer.key == gold.key:
            return True
        question = (gold.key, answer.key, answer.text)
        if question not in self._known:
            self._known[question] = self._ask(gold, answer)
        return self._known[question]

    def _ask(self, gold: Answer, answer: Answer) -> bool:
        if self._loop is None or self._grader is None:
            self._loop, self._grader = asyncio.Runner(), grade.Grader(SymbolicEquivalence(timeout_s=TIMEOUT_S))
        return self._loop.run(self._grader.same(gold, answer))


def gold_of(problem: ProblemRecord) -> Answer:
    """The problem's answer. Raises InvalidRequest where it can't be read."""
    answer = answer_of(problem.answer)
    if answer is None:
        raise InvalidRequest(
            f"problem {problem.id}: the answer can't be read: write a number, a formula or a short text"
        )
    return answer
