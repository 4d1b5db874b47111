"""Whether an answer is right, as every evaluation grades it (`inference.answers.grade`).

Law: exact comparison of normal forms first, symbols where that can't decide; a solution that did not finish, or that
names no answer, is not right.
"""

from __future__ import annotations

from functools import partial

from domain.errors import InvalidRequest
from domain.moves import Answer
from inference.answers.equivalence import SymbolicEquivalence
from inference.answers.extract import answer_of
from inference.answers.grade import BlockingGrader
from training.problems.files import ProblemRecord

TIMEOUT_S = 10.0
"""More patience than serving has, so that a busy machine does not change a label."""


class Grader(BlockingGrader):
    """Remembers what it has compared. Not for use within a running event loop."""

    def __init__(self) -> None:
        super().__init__(partial(SymbolicEquivalence, timeout_s=TIMEOUT_S))
        self._known: dict[tuple[str, str, str], bool] = {}

    def right(self, answer: Answer | None, gold: Answer) -> bool:
        if answer is None:
            return False
        if answer.key == gold.key:
            return True
        question = (gold.key, answer.key, answer.text)
        if question not in self._known:
            self._known[question] = self.same(gold, answer)
        return self._known[question]


def gold_of(problem: ProblemRecord) -> Answer:
    """The problem's answer. Raises InvalidRequest where it can't be read."""
    answer = answer_of(problem.answer)
    if answer is None:
        raise InvalidRequest(
            f"problem {problem.id}: the answer can't be read: write a number, a formula or a short text"
        )
    return answer
