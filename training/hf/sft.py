"""Supervised fine-tuning: a policy learns worked solutions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from inference.checks import Head
from training.hf.problems import read_disjoint
from training.hf.rows import Row, policy_row
from training.hf.run import Task, train
from training.hf.settings import Settings

if TYPE_CHECKING:
    from training.hf.models import Start


def train_sft(
    policy: str,
    problems: Path,
    out: Path,
    settings: Settings | None = None,
    *,
    test: Path | None = None,
    command: str = "",
    force: bool = False,
) -> Path:
    """Trains on the `solution` of every problem of the file. Gives the folder of the new policy."""
    records = read_disjoint(problems, test, need=("solution",))

    def rows(start: Start, limit: int) -> Iterator[Row]:
        for record in records:
            yield policy_row(start.tokenizer, start.end, record.problem, record.solution or "")

    task = Task("sft", "Policy, fine-tuned on worked solutions", Head.CAUSAL_LM, {"problems": problems}, rows)
    return train(task, policy, out, settings or Settings(), command=command, force=force)
