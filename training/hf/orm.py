"""The outcome reward model, baseline of a process reward model: one label a solution, at its end (arXiv 2110.14168).

It is stored as a process reward model is, so that the same code loads it; only its last score is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from domain.errors import InvalidRequest
from training.hf.files import LabelledSolution
from training.hf.rows import Row, outcome_row
from training.hf.verifier import Kind, train_verifier


def _row(tokenizer: Any, solution: LabelledSolution, separator: str) -> Row:
    return outcome_row(tokenizer, solution.problem, solution.steps, solution.right, separator)


def _refuse_all_right(path: Path, solutions: Sequence[LabelledSolution]) -> None:
    if all(solution.right for solution in solutions):
        raise InvalidRequest(f"{path}: all {len(solutions)} solutions are right: add wrong ones, of harder problems")


train_orm = partial(train_verifier, Kind("orm", "Outcome reward model", _row, _refuse_all_right))
