"""The running batch: its rows, their cache and the tensors that a step needs.

Law: a row's cache columns are the last `row.length` ones; dead rows stay in place until a rebuild drops them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from inference.engines.cache import ROOM_TOKENS, rebuilt, replace_rows
from inference.engines.rows import Row
from inference.engines.sampling import SamplerRows


class Batch:
    """B rows and T cache columns."""

    def __init__(self, rows: Sequence[Row], cache: Any, length: int, device: torch.device) -> None:
        self.rows = list(rows)
        self.cache = cache
        self.length = length
        self.device = device
        self.sampler = SamplerRows.of([row.sampler for row in self.rows], device)
        self.lengths = torch.tensor([row.length for row in self.rows], device=device)
        """Position of each row's next token, [B]."""
        self.tokens = torch.tensor([row.ids[-1] for row in self.rows], device=device)
        self._starts = length - self.lengths
        self._mask = self._new_mask(length + ROOM_TOKENS)

    @property
    def live(self) -> list[int]:
        return [index for index, row in enumerate(self.rows) if row.live]

    @property
    def padding(self) -> int:
        """Leading columns that are padding for every live row."""
        return self.length - max((row.length for row in self.rows if row.live), default=0)

    def advance(self) -> Tensor:
        """Make room for one more column; gives the mask [B, T] with it."""
        self.length += 1
        if self.length > self._mask.shape[1]:
            self._mask = self._new_mask(self.length + ROOM_TOKENS)
        return self._mask[:, : self.length]

    def moved_on(self, tokens: Tensor, context: int) -> None:
        """Dead rows run on until the next rebuild; their positions stop at the end of the context."""
        self.tokens = tokens
        self.lengths = (self.lengths + 1).clamp_(max=context - 1)

    def trim(self) -> None:
        """Leave out leading columns that only pad."""
        columns = self.padding
        for layer in self.cache.layers:
            layer.trim(columns)
        self.length -= columns
        self._starts = self._starts - columns
        self._mask = self._new_mask(self.length + ROOM_TOKENS)

    def _new_mask(self, columns: int) -> Tensor:
        """True from each row's first token on, also for columns to come: every row gets a token in each of them."""
        return torch.arange(columns, device=self.device) >= self._starts[:, None]


def joined(
    batch: Batch | None, newcomers: Sequence[Row], fresh: Any, source: Tensor, device: torch.device
) -> Batch | None:
    """The batch with the newcomers in it: in the places of dead rows where they fit, else by a rebuild."""
    dead = [index for index, row in enumerate(batch.rows) if not row.live] if batch is not None else []
    if batch is None or len(newcomers) > len(dead) or fresh.get_seq_length() > batch.length:
        return merged(batch, newcomers, fresh, source, device)
    if not newcomers:
        return batch
    places = dead[: len(newcomers)]
    replace_rows(batch.cache, torch.tensor(places, device=device), fresh, source)
    rows = list(batch.rows)
    for place, row in zip(places, newcomers, strict=True):
        rows[place] = row
    return Batch(rows, batch.cache, batch.length, device)


def merged(
    batch: Batch | None, newcomers: Sequence[Row], fresh: Any, source: Tensor, device: torch.device
) -> Batch | None:
    """The live rows of the batch and the newcomers, without columns that only pad; None when no row is left."""
    live = batch.live if batch is not None else []
    trim = batch.padding if batch is not None else 0
    rows = [batch.rows[index] for index in live] if batch is not None else []
    if not rows and not newcomers:
        return None
    keep = torch.tensor(live, dtype=torch.int64, device=device)
    cache = rebuilt(batch.cache if batch is not None else None, keep, trim, fresh, source)
    return Batch([*rows, *newcomers], cache, cache.get_seq_length(), device)
