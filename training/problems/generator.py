"""Problems shaped like the MATH benchmark: six subjects, five levels, worked solutions, without end.

Law: `generate(subject, level, seed)` is the same in every process and in every version of Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from domain.moves import STEP_SEPARATOR
from training.problems.catalogue import LEVELS, SUBJECTS
from training.problems.draw import Draw
from training.problems.kind import LAST, Kind

MAX_SOLUTION_CHARS = 350


@dataclass(frozen=True, slots=True)
class GeneratedProblem:
    """One problem with its worked solution; `level` is a label, difficulty is measured."""

    id: str
    problem: str
    answer: str
    r"""As in `\boxed{…}`; `inference.answers` reads it."""
    subject: str
    level: int
    solution: str
    """Steps separated by a blank line."""


def generate(subject: str, level: int, seed: int | str) -> GeneratedProblem:
    """The problem of this seed. Raises ValueError for an unknown subject or level."""
    if subject not in SUBJECTS:
        raise ValueError(f"unknown subject {subject!r}: use one of {', '.join(SUBJECTS)}")
    if level not in LEVELS:
        raise ValueError(f"unknown level {level}: use one of {', '.join(map(str, LEVELS))}")
    return draft(subject, level, seed).finished(f"{subject}-{level}-{seed}")


@dataclass(frozen=True, slots=True)
class Draft:
    """A problem that is drawn and worked out, and not yet put into words."""

    subject: str
    level: int
    kind: Kind[Any, Any]
    given: Any
    solution: str
    draw: Draw

    @property
    def signature(self) -> str:
        return self.kind.signature(self.given)

    def finished(self, id: str) -> GeneratedProblem:
        """Only once for each draft: the words are drawn from what follows in its stream."""
        problem, answer = self.kind.write(self.given, self.draw), self.kind.answer(self.given)
        return GeneratedProblem(id, problem, answer, self.subject, self.level, self.solution)


def draft(subject: str, level: int, seed: int | str) -> Draft:
    draw = Draw(f"deliberate/problems/1/{subject}/{level}/{seed}")
    kind = draw.choice(SUBJECTS[subject])
    given, solution = _worked(kind, draw, level)
    return Draft(subject, level, kind, given, solution, draw)


def _worked(kind: Kind[Any, Any], draw: Draw, level: int) -> tuple[Any, str]:
    """Givens whose worked solution is short enough, and that solution."""
    while True:
        given = kind.draw(draw, level)
        solution = STEP_SEPARATOR.join([*kind.work(given), LAST.fill(answer=kind.answer(given))])
        if len(solution) <= MAX_SOLUTION_CHARS:
            return given, solution


def recognise(problem: str) -> tuple[Kind[Any, Any], Any] | None:
    """The kind and the givens of a problem's text; None when no generator wrote it."""
    for kinds in SUBJECTS.values():
        for kind in kinds:
            given = kind.understand(problem)
            if given is not None:
                return kind, given
    return None
