"""Keys and values of the running rows, in buffers that stay.

Law: row b's own columns are 0 … length_b - 1 of slot b; rows 0 … B - 1 are taken and the others are free. What lies
beyond a row's own columns is finite (a mask hides it by adding -inf, and NaN would survive that).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from inference.engines.fast.segments import Left, Segment
from inference.engines.fast.weights import Weights

COLUMNS = 32
"""Buffers grow by multiples of this many tokens."""


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

    def put(self, slot: int, segments: Iterable[Segment[Any]]) -> None:
        """Put these segments, one after the other, into a slot."""
        end = 0
        for segment in segments:
            start, end = end, end + segment.tokens
            self.keys[:, slot, :, start:end] = segment.keys
            self.values[:, slot, :, start:end] = segment.values

    def move(self, source: int, target: int, length: int) -> None:
        for buffer in (self.keys, self.values):
            buffer[:, target, :, :length] = buffer[:, source, :, :length]

    def taken(self, slot: int, start: int, end: int, left: Left) -> Segment[Left]:
        """A copy of these columns of a slot."""
        keys, values = (buffer[:, slot, :, start:end].clone() for buffer in (self.keys, self.values))
        return Segment(keys, values, left)

    def _moved(self, old: Tensor, target: tuple[int, int], kept: tuple[int, int]) -> Tensor:
        new = self._buffer(*target)
        new[:, : kept[0], :, : kept[1]] = old[:, : kept[0], :, : kept[1]]
        return new

    def _buffer(self, rows: int, columns: int) -> Tensor:
        return torch.zeros(self._layers, rows, self._heads, columns, self._size)
