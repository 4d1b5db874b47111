"""Whether an answer is right, by the same comparison that serving votes with.

Law: exact comparison of normal forms first, symbolic equivalence where that can't decide; a solution that did not
finish, or that names no answer, is not right.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from domain.errors import InvalidRequest
from domain.moves import Answer
from inference.answers.equivalence import SymbolicEquivalence
from inference.answers.extract import answer_of
from inference.answers.keys import decided
from training.problems.files import ProblemRecord

TIMEOUT_S = 10.0
"""More patience than serving has, so that a busy machine does not change a label."""


class Grader:
    """Remembers what it has compared. Not for use within a running event loop."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], bool] = {}
        self._loop: asyncio.Runner | None = None
        self._symbols: SymbolicEquivalence | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._loop is not None and self._symbols is not None:
            self._loop.run(self._symbols.close())
            self._loop.close()

    def right(self, answer: Answer | None, gold: str) -> bool:
        """`gold` is a key, as `gold_key` gives it."""
        if answer is None:
            return False
        pair = (answer.key, gold)
        if pair not in self._known:
            verdict = decided(*pair)
            self._known[pair] = self._ask(pair) if verdict is None else verdict
        return self._known[pair]

    def _ask(self, pair: tuple[str, str]) -> bool:
        if self._loop is None or self._symbols is None:
            self._loop, self._symbols = asyncio.Runner(), SymbolicEquivalence(timeout_s=TIMEOUT_S)
        return self._loop.run(self._symbols.equal(*pair))


def gold_key(problem: ProblemRecord) -> str:
    """The normal form of the problem's answer. Raises InvalidRequest where it can't be read."""
    answer = answer_of(problem.answer)
    if answer is None:
        raise InvalidRequest(
            f"problem {problem.id}: the answer can't be read: write a number, a formula or a short text"
        )
    return answer.key
