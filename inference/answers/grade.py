"""Is this prediction the gold answer? For evaluation and for labels; votes are merged more strictly (`equivalence`).

Law: exact normal forms first, then symbols in a process that can be killed; beyond that a grader accepts only what a
teacher would: a correct rounding to four or more places, a percentage for its fraction, a tuple without its brackets.
Two different integers are never equal, and nothing here hangs.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from types import TracebackType
from typing import Self

from domain.moves import Answer
from inference.answers.assigned import assigned
from inference.answers.equivalence import SymbolicEquivalence
from inference.answers.extract import read_answer
from inference.answers.latex import OPEN, cleaned
from inference.answers.normal import normal_form


class Grader:
    """Belongs to one event loop; close it with `close`. Many gradings may be under way at once."""

    def __init__(self, equivalence: SymbolicEquivalence | None = None) -> None:
        self._equivalence = equivalence or SymbolicEquivalence()

    async def grade(self, gold: str, prediction: str | None) -> bool:
        """Both as written: an answer, or a text that ends in one. Raises EngineError when no process can be started."""
        right = read_answer(gold)
        given = None if prediction is None else read_answer(prediction)
        return right is not None and given is not None and await self.same(right, given)

    async def same(self, gold: Answer, prediction: Answer) -> bool:
        """The same of answers that were read before."""
        if gold.key == prediction.key or _same_share(gold.key, prediction.key):
            return True
        pairs = [(gold.key, prediction.key), *_as_tuples(gold, prediction)]
        return any([await self._equivalence.close_enough(*pair) for pair in pairs])

    async def close(self) -> None:
        await self._equivalence.close()


class BlockingGrader:
    """The same for code without an event loop: `with BlockingGrader() as grader: grader.grade(gold, prediction)`."""

    def __init__(self, equivalence: Callable[[], SymbolicEquivalence] = SymbolicEquivalence) -> None:
        self._runner = asyncio.Runner()
        self._equivalence = equivalence
        self._grader: Grader | None = None

    def grade(self, gold: str, prediction: str | None) -> bool:
        return self._runner.run(self._open().grade(gold, prediction))

    def same(self, gold: Answer, prediction: Answer) -> bool:
        return self._runner.run(self._open().same(gold, prediction))

    def close(self) -> None:
        """Safe to call twice; a closed grader can't be used again."""
        if self._grader is not None:
            self._runner.run(self._grader.close())
            self._grader = None
        self._runner.close()

    def _open(self) -> Grader:
        self._grader = self._grader or Grader(self._equivalence())
        return self._grader

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def grade(gold: str, prediction: str | None) -> bool:
    """One grading, on a process that is kept until this program ends; not inside of a running event loop."""
    return _shared().grade(gold, prediction)


@cache
def _shared() -> BlockingGrader:
    grader = BlockingGrader()
    atexit.register(grader.close)
    return grader


def _same_share(gold: str, prediction: str) -> bool:
    """50 % is one half. Whole numbers are left out: 100 % is 100 to many, and may not be 1 as well."""
    values = {key[0]: key[2:] for key in (gold, prediction)}
    if set(values) != {"%", "q"} or "/" not in values["q"]:
        return False
    return Fraction(values["%"]) == 100 * Fraction(values["q"])


def _as_tuples(gold: Answer, prediction: Answer) -> list[tuple[str, str]]:
    """`1, 2` or `x = 1, y = 2` beside `(1, 2)` or each other: read as tuples in the order in which they were written.

    Two lists that both name their unknowns are compared by these names alone.
    """
    if gold.key[0] not in "({" or prediction.key[0] not in "({" or gold.key[0] == prediction.key[0] == "{":
        return []
    if assigned(cleaned(gold.text)) and assigned(cleaned(prediction.text)):
        return []
    return [(_as_written(gold), _as_written(prediction))]


def _as_written(answer: Answer) -> str:
    text = cleaned(answer.text)
    if values := assigned(text):
        return normal_form("(" + ", ".join(value for _, value in values) + ")")
    bare = answer.key[0] == "{" and OPEN not in text
    return normal_form(f"({text})") if bare else answer.key
