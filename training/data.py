"""From examples to padded batches: bucketed by length, so that little of a batch is padding.

Law: the same texts and seed give the same batches in the same order; only solution tokens carry a loss.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

IGNORED = -100
"""The label of a position without a loss (the convention of torch and transformers)."""
MULTIPLE = 16
"""Batches are padded to multiples of this many tokens: oneDNN keeps a compiled kernel for every shape."""
POOL = 32
"""Batches that are sorted by length together."""


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence; `next_tokens[i]` belongs to position i of `ids` (or is IGNORED)."""

    ids: tuple[int, ...]
    next_tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of shape [B, T]."""

    ids: torch.Tensor
    next_tokens: torch.Tensor


def language_row(prompt: Sequence[int], solution: Sequence[int], end: int) -> Row:
    """A row that teaches to write the solution and then to end."""
    ids = (*prompt, *solution)
    targets = (IGNORED,) * (len(prompt) - 1) + (*solution, end)
    return Row(ids, targets)


def batches(rows: Sequence[Row], tokens: int, seed: int) -> Iterator[Batch]:
    """One pass over `rows` in a random order, about `tokens` tokens (with padding) a batch."""
    order = list(range(len(rows)))
    rng = random.Random(seed)
    rng.shuffle(order)
    longest = _padded(max(len(row.ids) for row in rows))
    pool = POOL * max(1, tokens // longest)
    for start in range(0, len(order), pool):
        groups = _groups([rows[index] for index in order[start : start + pool]], tokens)
        rng.shuffle(groups)
        yield from map(stack, groups)


def _groups(rows: list[Row], tokens: int) -> list[list[Row]]:
    groups: list[list[Row]] = [[]]
    for row in sorted(rows, key=lambda row: len(row.ids)):
        if (len(groups[-1]) + 1) * _padded(len(row.ids)) > tokens and groups[-1]:
            groups.append([])
        groups[-1].append(row)
    return groups


def _padded(length: int) -> int:
    return -(-length // MULTIPLE) * MULTIPLE


def stack(rows: Sequence[Row]) -> Batch:
    """One batch, padded on the right; padding is id 0 and carries no loss."""
    import torch

    width = _padded(max(len(row.ids) for row in rows))

    def table(name: str, empty: int) -> torch.Tensor:
        lists = [list(getattr(row, name)) for row in rows]
        return torch.tensor([values + [empty] * (width - len(values)) for values in lists])

    return Batch(table("ids", 0), table("next_tokens", IGNORED))
