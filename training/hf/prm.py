"""The process reward model: after each step, the chance that a solution that begins like this ends right.

Its labels are shares of rollouts (arXiv 2312.08935, 2408.03314), so no person labels anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from domain.errors import InvalidRequest
from training.hf.files import LabelledSolution
from training.hf.rows import Row, process_row
from training.hf.verifier import Kind, train_verifier


def _row(tokenizer: Any, solution: LabelledSolution, separator: str) -> Row:
    return process_row(tokenizer, solution.problem, solution.steps, solution.labels, separator)


def _refuse_one_label(path: Path, solutions: Sequence[LabelledSolution]) -> None:
    found = {label for solution in solutions for label in solution.labels}
    if len(found) == 1:
        raise InvalidRequest(f"{path}: all steps have the label {found.pop():g}: add problems of another difficulty")


train_prm = partial(train_verifier, Kind("prm", "Process reward model", _row, _refuse_one_label))
