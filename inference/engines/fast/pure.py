"""The model as pure functions of weights, tokens, positions and cache.

Law: the same numbers as the model's own forward pass, up to rounding. Row b's keys and values are columns 0 … of its
slot; what lies beyond a row's own columns is never looked at.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from inference.engines.fast.kernels import Kernels, Step, kernels_for, rotate
from inference.engines.fast.weights import Layer, Weights

_ROTATIONS = 1024
"""Positions whose rotations are made at a time."""


class PureModel:
    """E: hidden size, Q and K: query and key heads, D: head size. Buffers are [layers, rows, K, columns, D]."""

    def __init__(self, weights: Weights, kernels: Kernels | None = None) -> None:
        self.weights = weights
        self._kernels = kernels or kernels_for(weights)
        self._rotations = torch.zeros(0, weights.head_size)
        self._queries = weights.query_heads * weights.head_size

    def step(self, tokens: Tensor, lengths: Tensor, longest: int, keys: Tensor, values: Tensor) -> Tensor:
        """Logits [B, V] after one more token a row, which is written to column `lengths[b]`.

        The buffers have at least B rows and `longest` columns, the largest length + 1.
        """
        step = Step(lengths, longest, self._rotation(longest), keys.shape[3])
        x = self.weights.embedding[tokens]
        for layer, key, value in zip(self.weights.layers, keys, values, strict=True):
            x = self._rest(layer, x, self._kernels.attend(self._projected(layer, x), step, key, value))
        return self.head(x)

    def read(self, ids: Tensor, starts: Tensor, longest: int, keys: Tensor, values: Tensor) -> Tensor:
        """Hidden states [B, T, E] of T more tokens a row, written to columns from `starts[b]` on; see `step`.

        Rows with fewer tokens are padded on the right: `longest` is at least the largest start + T.
        """
        weights, (rows, width) = self.weights, ids.shape
        heads, size, queries = weights.key_heads, weights.head_size, self._queries
        at = starts[:, None] + torch.arange(width)  # [B, T]
        factors = self._rotation(longest)[at.view(-1)]
        mask = torch.arange(longest) <= at[:, None, :, None]  # [B, 1, T, columns]
        where = (torch.arange(rows)[:, None], slice(None), at)
        x = weights.embedding[ids.reshape(-1)]
        for layer, key, value in zip(weights.layers, keys, values, strict=True):
            qkv = self._projected(layer, x)
            rotate(qkv, factors, queries + heads * size)
            new = qkv[:, queries:].view(rows, width, 2, heads, size)
            key[where], value[where] = new[:, :, 0], new[:, :, 1]
            query = qkv[:, :queries].view(rows, width, -1, size).transpose(1, 2)
            k, v = (part[:rows, :, :longest].repeat_interleave(weights.groups, 1) for part in (key, value))
            mixed = F.scaled_dot_product_attention(query, k, v, attn_mask=mask, scale=1.0)
            x = self._rest(layer, x, mixed.transpose(1, 2).reshape(rows * width, queries))
        return x.view(rows, width, -1)

    def head(self, x: Tensor) -> Tensor:
        """Logits [B, V] of the last layer's states [B, E]."""
        return _product(self._kernels.norm(x, self.weights.norm), self.weights.head, self.weights.head_bias)

    def _projected(self, layer: Layer, x: Tensor) -> Tensor:
        qkv = _product(self._kernels.norm(x, layer.norm_in), layer.qkv, layer.qkv_bias)
        if layer.head_norms is not None:
            self._normalise(qkv, layer.head_norms)
        return qkv

    def _normalise(self, qkv: Tensor, norms: Tensor) -> None:
        """Each head of the queries and keys, in place."""
        heads, size = norms.shape
        part = qkv[:, : heads * size]
        part.copy_((F.rms_norm(part.reshape(-1, heads, size), (size,), eps=self.weights.eps) * norms).flatten(1))

    def _rest(self, layer: Layer, x: Tensor, mixed: Tensor) -> Tensor:
        x = torch.addmm(x, mixed, layer.out)
        gate_up = torch.mm(self._kernels.norm(x, layer.norm_mlp), layer.gate_up)
        return torch.addmm(x, self._kernels.gated(gate_up), layer.down)

    def _rotation(self, positions: int) -> Tensor:
        """Pairs of cosine and sine for positions 0 … at least `positions` - 1, [·, D]."""
        if len(self._rotations) < positions:
            at = torch.arange(-(-positions // _ROTATIONS) * _ROTATIONS)[None]
            half = self.weights.head_size // 2
            cos, sin = (part[0, :, :half].float() for part in self.weights.rotary(self.weights.embedding, at))
            self._rotations = torch.stack([cos, sin], -1).flatten(1)
        return self._rotations


def _product(x: Tensor, matrix: Tensor, bias: Tensor | None) -> Tensor:
    return torch.mm(x, matrix) if bias is None else torch.addmm(bias, x, matrix)
