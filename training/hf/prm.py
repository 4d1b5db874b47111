"""The process reward model: after each step, the chance that a solution that begins like this ends right.

Its labels are shares of rollouts (arXiv 2312.08935, 2408.03314), so no person labels anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from domain.errors import InvalidRequest
from training.hf.files import LabelledSolution, read_labels
from training.hf.problems import refuse_samples_of_test
from training.hf.rows import Row, process_row
from training.hf.settings import Settings
from training.hf.verifier import train_verifier


def train_prm(
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
    """Trains on the label of every step. Gives the folder of the verifier."""
    solutions = read_labels(labels)
    refuse_samples_of_test(labels, solutions, test)
    _refuse_one_label(labels, solutions)
    title = "Process reward model"
    return train_verifier("prm", title, _row, policy, labels, solutions, out, settings, separator, command, force)


def _row(tokenizer: Any, solution: LabelledSolution, separator: str) -> Row:
    return process_row(tokenizer, solution.problem, solution.steps, solution.labels, separator)


def _refuse_one_label(path: Path, solutions: Sequence[LabelledSolution]) -> None:
    found = {label for solution in solutions for label in solution.labels}
    if len(found) == 1:
        raise InvalidRequest(f"{path}: all steps have the label {found.pop():g}: add problems of another difficulty")
