"""The reviser: a policy learns to write a right solution after wrong attempts (arXiv 2408.03314, section 6.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from inference.checks import Head
from training.hf.files import Chain, read_chains
from training.hf.problems import refuse_samples_of_test
from training.hf.rows import Row, policy_row, revision_row
from training.hf.run import Task, train
from training.hf.settings import Settings

if TYPE_CHECKING:
    from training.hf.models import Start


def train_reviser(
    policy: str,
    chains: Path,
    out: Path,
    settings: Settings | None = None,
    *,
    first_attempts: bool = True,
    test: Path | None = None,
    command: str = "",
    force: bool = False,
) -> Path:
    """Trains on chains of attempts. Gives the folder of the new policy.

    With `first_attempts` every right solution is learnt as an answer to the bare problem too, so that one checkpoint
    does both, told apart by its prompt.
    """
    found = read_chains(chains)
    refuse_samples_of_test(chains, found, test)

    def rows(start: Start, limit: int) -> Iterator[Row | None]:
        return reviser_rows(found, start, limit, first_attempts)

    title = "Reviser, fine-tuned on attempts and their corrections"
    task = Task("reviser", title, Head.CAUSAL_LM, {"chains": chains}, rows, {"first_attempts": first_attempts})
    return train(task, policy, out, settings or Settings(), command=command, force=force)


def reviser_rows(chains: Sequence[Chain], start: Start, limit: int, first_attempts: bool) -> Iterator[Row | None]:
    for chain in chains:
        if chain.attempts:
            yield revision_row(start.tokenizer, start.end, chain.problem, chain.solution, chain.attempts, limit)
    plain = {(chain.problem, chain.solution): None for chain in chains if first_attempts or not chain.attempts}
    for problem, solution in plain:
        yield policy_row(start.tokenizer, start.end, problem, solution)
