"""The running batch's keys and values: grown in place, and rebuilt when rows leave or join.

Law: row i's last `length_i` columns are its own tokens; everything before is padding that the mask hides.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

ROOM_TOKENS = 64
"""Columns that a rebuilt buffer has to spare, so that most steps write one column and copy nothing."""


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A dynamic layer whose tensors are views of larger buffers [B, heads, capacity, head size]."""

    def __init__(self, keys: Tensor, values: Tensor, used: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self._buffers = (keys, values)
        self._show(0, used)

    def _show(self, start: int, used: int) -> None:
        self._start, self._used = start, used
        self._seen = self._buffers[0][:, :, start:used], self._buffers[1][:, :, start:used]
        self.keys, self.values = self._seen

    def trim(self, columns: int) -> None:
        """Hide leading columns; nothing is copied."""
        self._show(self._start + columns, self._used)

    def replace(self, rows: Tensor, keys: Tensor, values: Tensor) -> None:
        """Put other calls' keys and values at the right end of these rows; what is left of the old ones is hidden."""
        for buffer, fresh in zip(self._buffers, (keys, values), strict=True):
            buffer[rows, :, self._used - fresh.shape[-2] : self._used] = fresh

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        start, end = self._used, self._used + key_states.shape[-2]
        if end > self._buffers[0].shape[-2]:
            self._buffers = (_widened(self._seen[0]), _widened(self._seen[1]))
            self._start, start, end = 0, start - self._start, end - self._start
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, start:end] = states
        self._show(self._start, end)
        return self._seen


def is_mergeable(config: Any) -> bool:
    """Whether the model keeps plain keys and values in every layer (no sliding window, no recurrent state)."""
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)


def rebuilt(running: Any, keep: Tensor, trim: int, fresh: Any, source: Tensor) -> Cache:
    """Rows `keep` of the running cache without its first `trim` columns, then rows `source` of the fresh one.

    The shorter of the two is padded on the left. A source row may be given more than once: calls with the same prompt
    share its prefill.
    """
    kept = [(layer.keys, layer.values) for layer in running.layers] if running is not None and len(keep) else []
    new = [(layer.keys, layer.values) for layer in fresh.layers] if fresh is not None and len(source) else []
    layers: list[Any] = [
        GrowingLayer(*joined)
        for joined in (
            _joined(kept[index] if kept else None, keep, trim, new[index] if new else None, source)
            for index in range(len(kept or new))
        )
    ]
    return Cache(layers=layers)


def replace_rows(running: Any, rows: Tensor, fresh: Any, source: Tensor) -> None:
    """Rows `source` of the fresh cache take the place of these rows of the running one, which is at least as long."""
    for layer, new in zip(running.layers, fresh.layers, strict=True):
        layer.replace(rows, new.keys[source], new.values[source])


def _joined(
    kept: tuple[Tensor, Tensor] | None, keep: Tensor, trim: int, new: tuple[Tensor, Tensor] | None, source: Tensor
) -> tuple[Tensor, Tensor, int]:
    length = max(kept[0].shape[-2] - trim if kept else 0, new[0].shape[-2] if new else 0)
    buffers = []
    for part in range(2):
        old = kept[part][keep, :, trim:] if kept else None
        fresh = new[part][source] if new else None
        buffers.append(_stacked([rows for rows in (old, fresh) if rows is not None], length))
    return buffers[0], buffers[1], length


def _stacked(parts: list[Tensor], length: int) -> Tensor:
    """[sum of B, heads, length + room, head size] with every part at the right end of `length`."""
    _, heads, _, size = parts[0].shape
    rows = sum(len(part) for part in parts)
    buffer = parts[0].new_empty((rows, heads, length + ROOM_TOKENS, size))
    at = 0
    for part in parts:
        pad = length - part.shape[-2]
        buffer[at : at + len(part), :, :pad] = 0  # hidden, but a stray NaN times zero would still be NaN
        buffer[at : at + len(part), :, pad:length] = part
        at += len(part)
    return buffer


def _widened(seen: Tensor) -> Tensor:
    rows, heads, used, size = seen.shape
    wider = seen.new_empty((rows, heads, used + max(ROOM_TOKENS, used // 4), size))
    wider[:, :, :used] = seen
    return wider


def positions_from(mask: Tensor) -> Tensor:
    """Position ids [B, T] of left-padded rows, from their mask [B, T]."""
    return (mask.cumsum(-1) - 1).clamp_(min=0)


def left_padded(prompts: list[tuple[int, ...]], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids and mask, each [B, T]."""
    width = max(map(len, prompts))
    ids = [[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
