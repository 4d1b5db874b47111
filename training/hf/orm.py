"""The outcome reward model, baseline of a process reward model: one label a solution, at its end (arXiv 2110.14168).

It is stored as a process reward model is, so that the same code loads it; only its last score is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from domain.errors import InvalidRequest
from training.hf.files import LabelledSolution, read_labels
from training.hf.problems import refuse_samples_of_test
from training.hf.rows import Row, outcome_row
from training.hf.settings import Settings
from training.hf.verifier import train_verifier


def train_orm(
    policy: str,
    labels: Path,
    out: Path,
    settings: Settings | None = None,
    *,
    separator: str | None = None,
    test: Path | None = None,
    command: str = "",
    force: bool = False,
) -> Path:
    """Trains on whether each solution is right. Gives the folder of the verifier."""
    solutions = read_labels(labels)
    refuse_samples_of_test(labels, solutions, test)
    _refuse_all_right(labels, solutions)
    title = "Outcome reward model"
    return train_verifier("orm", title, _row, policy, labels, solutions, out, settings, separator, command, force)


def _row(tokenizer: Any, solution: LabelledSolution, separator: str) -> Row:
    return outcome_row(tokenizer, solution.problem, solution.steps, solution.right, separator)


def _refuse_all_right(path: Path, solutions: Sequence[LabelledSolution]) -> None:
    if all(solution.right for solution in solutions):
        raise InvalidRequest(f"{path}: all {len(solutions)} solutions are right: add wrong ones, of harder problems")
