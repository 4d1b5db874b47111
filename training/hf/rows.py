"""From texts to training rows, in the tokens that the engines will read.

Law: every id comes from `inference.prompts` or `inference.steps`. A row for a policy carries a loss on the solution and
its end only; a row for a verifier has its labels exactly where a score is read, the last token of a separator that was
appended after its step was tokenised (the format of TRL's PRM trainer).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inference.prompts import prompt_ids, text_ids
from inference.steps import encode_solution_for_scoring

IGNORED = -100
"""The label of a position without a loss (the convention of torch and transformers)."""


@dataclass(frozen=True, slots=True)
class Row:
    """`labels[i]` belongs to `ids[i]`: the same id for a policy (the model shifts them), P(right) for a verifier."""

    ids: tuple[int, ...]
    labels: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.ids)


def policy_row(tokenizer: Any, end: int, problem: str, solution: str, attempts: Sequence[str] = ()) -> Row:
    """Teaches to write the solution and then to end; with `attempts`, oldest first, as a revision of them."""
    prompt = prompt_ids(tokenizer, problem, attempts)
    written = (*text_ids(tokenizer, solution), end)
    return Row((*prompt, *written), (*(IGNORED for _ in prompt), *written))


def revision_row(
    tokenizer: Any, end: int, problem: str, solution: str, attempts: Sequence[str], limit: int
) -> Row | None:
    """As `policy_row`, without the oldest attempts where all of them are too long; None when not even one fits."""
    for first in range(len(attempts)):
        row = policy_row(tokenizer, end, problem, solution, attempts[first:])
        if len(row) <= limit:
            return row
    return None


def process_row(tokenizer: Any, problem: str, steps: Sequence[str], labels: Sequence[float], separator: str) -> Row:
    """One label a step."""
    encoded = encode_solution_for_scoring(tokenizer, problem, steps, separator)
    places = [float(IGNORED)] * len(encoded.ids)
    for position, label in zip(encoded.positions, labels, strict=True):
        places[position] = float(label)
    return Row(encoded.ids, tuple(places))


def outcome_row(tokenizer: Any, problem: str, steps: Sequence[str], right: bool, separator: str) -> Row:
    """One label, at the end."""
    encoded = encode_solution_for_scoring(tokenizer, problem, steps, separator)
    places = [float(IGNORED)] * len(encoded.ids)
    places[encoded.positions[-1]] = float(right)
    return Row(encoded.ids, tuple(places))
