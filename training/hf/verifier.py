"""What process and outcome reward models share: a token classifier with two labels, read at the separators of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.moves import STEP_SEPARATOR
from inference.checks import Head
from training.hf.files import LabelledSolution, read_labels
from training.hf.problems import refuse_samples_of_test
from training.hf.rows import Row
from training.hf.run import Task, train
from training.hf.settings import Settings

if TYPE_CHECKING:
    from training.hf.models import Start


@dataclass(frozen=True)
class Kind:
    """What tells a process and an outcome reward model apart."""

    name: str
    """`prm` or `orm`."""
    title: str
    make_row: Callable[[Any, LabelledSolution, str], Row]
    """(tokenizer, solution, separator) → row."""
    refuse: Callable[[Path, Sequence[LabelledSolution]], None]
    """Raises InvalidRequest for solutions that teach it nothing."""


def train_verifier(
    kind: Kind,
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
    """Gives the folder of the verifier. `separator` None: a blank line."""
    solutions = read_labels(labels)
    refuse_samples_of_test(labels, solutions, test)
    kind.refuse(labels, solutions)
    chosen = STEP_SEPARATOR if separator is None else separator

    def rows(start: Start, limit: int) -> Iterator[Row]:
        from training.hf.models import separator_ids

        separator_ids(start.tokenizer, policy, chosen)
        for solution in solutions:
            yield kind.make_row(start.tokenizer, solution, chosen)

    task = Task(
        kind.name,
        kind.title,
        Head.TOKEN_CLASSIFICATION,
        {"labels": labels},
        rows,
        choices={"separator": chosen},
        config={"step_separator": chosen},
    )
    return train(task, policy, out, settings or Settings(), command=command, force=force)
