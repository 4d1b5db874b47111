"""What process and outcome reward models share: a token classifier with two labels, read at the separators of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.moves import STEP_SEPARATOR
from inference.checks import Head
from training.hf.files import LabelledSolution
from training.hf.rows import Row
from training.hf.run import Task, train
from training.hf.settings import Settings

if TYPE_CHECKING:
    from training.hf.models import Start

MakeRow = Callable[[Any, LabelledSolution, str], Row]
"""(tokenizer, solution, separator) → row."""


def train_verifier(
    kind: str,
    title: str,
    make_row: MakeRow,
    policy: str,
    labels: Path,
    solutions: Sequence[LabelledSolution],
    out: Path,
    settings: Settings | None,
    separator: str | None,
    command: str,
    force: bool,
) -> Path:
    """`separator` None: a blank line."""
    chosen = STEP_SEPARATOR if separator is None else separator

    def rows(start: Start, limit: int) -> Iterator[Row]:
        from training.hf.models import separator_ids

        separator_ids(start.tokenizer, policy, chosen)
        for solution in solutions:
            yield make_row(start.tokenizer, solution, chosen)

    task = Task(
        kind,
        title,
        Head.TOKEN_CLASSIFICATION,
        {"labels": labels},
        rows,
        choices={"separator": chosen},
        config={"step_separator": chosen},
    )
    return train(task, policy, out, settings or Settings(), command=command, force=force)
