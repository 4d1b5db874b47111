"""Keys and values of the running rows, in buffers that stay.

Law: row b's own columns are 0 … length_b - 1 of slot b; rows 0 … B - 1 are taken and the others are free. What lies
beyond a row's own columns is finite (a mask hides it by adding -inf, and NaN would survive that).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.engines.fast.weights import Weights

COLUMNS = 32
"""Buffers grow by multiples of this many tokens."""


@dataclass(frozen=True)
class Kept:
    """What a prompt left behind: keys and values [layers, K, T, D], and logits [V] after it."""

    keys: Tensor
    values: Tensor
    logits: Tensor

    @property
    def length(self) -> int:
        return self.keys.shape[2]

    @property
    def size_bytes(self) -> int:
        return (2 * self.keys.numel() + self.logits.numel()) * self.keys.element_size()


class Slots:
    """Buffers [layers, rows, K, columns, D]."""

    def __init__(self, weights: Weights, max_tokens: int) -> None:
        self._layers, self._heads, self._size = len(weights.layers), weights.key_heads, weights.head_size
        self._max_tokens = max_tokens
        self.keys = self.values = self._buffer(0, 0)

    @property
    def rows(self) -> int:
        return self.keys.shape[1]

    @property
    def columns(self) -> int:
        return self.keys.shape[3]

    def reserve(self, rows: int, columns: int) -> None:
        """Make room. What is there stays; beyond `max_tokens` the room that is not needed now is given back."""
        if rows <= self.rows and columns <= self.columns:
            return
        wide = -(-columns // COLUMNS) * COLUMNS
        target = max(rows, self.rows), max(wide, self.columns)
        if target[0] * target[1] > self._max_tokens:
            target = rows, wide
        kept = min(target[0], self.rows), min(target[1], self.columns)
        self.keys, self.values = (self._moved(old, target, kept) for old in (self.keys, self.values))

    def put(self, first: int, kept: Sequence[Kept]) -> None:
        """Put these prompts into slots from `first` on."""
        for slot, one in enumerate(kept, first):
            self.keys[:, slot, :, : one.length] = one.keys
            self.values[:, slot, :, : one.length] = one.values

    def move(self, source: int, target: int, length: int) -> None:
        for buffer in (self.keys, self.values):
            buffer[:, target, :, :length] = buffer[:, source, :, :length]

    def taken(self, row: int, length: int, logits: Tensor) -> Kept:
        """A copy of a row's own columns."""
        keys, values = (buffer[:, row, :, :length].clone() for buffer in (self.keys, self.values))
        return Kept(keys, values, logits.clone())

    def _moved(self, old: Tensor, target: tuple[int, int], kept: tuple[int, int]) -> Tensor:
        new = self._buffer(*target)
        new[:, : kept[0], :, : kept[1]] = old[:, : kept[0], :, : kept[1]]
        return new

    def _buffer(self, rows: int, columns: int) -> Tensor:
        return torch.zeros(self._layers, rows, self._heads, columns, self._size)
