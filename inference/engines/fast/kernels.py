"""What surrounds the matrix products of one decoding step, in torch or compiled. Law: the same numbers either way."""

from __future__ import annotations

from ctypes import CDLL
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from inference.engines.fast.native import compiled
from inference.engines.fast.weights import Weights


@dataclass(frozen=True)
class Step:
    """What all layers of one step share. B rows; row b's new token goes to column `lengths[b]`."""

    lengths: Tensor
    """[B], int64."""
    longest: int
    """The largest length + 1."""
    rotations: Tensor
    """[positions, D], pairs of cosine and sine."""
    capacity: int
    """Columns of the buffers."""


class Kernels(Protocol):
    def attend(self, qkv: Tensor, step: Step, key: Tensor, value: Tensor) -> Tensor:
        """Attention's output [B, Q · D] from qkv [B, (Q + 2K) · D], which is overwritten.

        The new keys and values are written to the buffers [rows, K, columns, D].
        """
        ...

    def norm(self, x: Tensor, weight: Tensor) -> Tensor:
        """RMS norm (1910.07467) of [B, E]."""
        ...

    def gated(self, gate_up: Tensor) -> Tensor:
        """SwiGLU's product (2002.05202), [B, I] from [B, 2I]."""
        ...


def kernels_for(weights: Weights) -> Kernels:
    library = compiled(weights.head_size)
    return TorchKernels(weights) if library is None else CompiledKernels(weights, library)


class TorchKernels:
    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._step: Step | None = None

    def attend(self, qkv: Tensor, step: Step, key: Tensor, value: Tensor) -> Tensor:
        if step is not self._step:
            self._prepare(step)
        weights, rows = self._weights, len(qkv)
        heads, size, groups = weights.key_heads, weights.head_size, weights.groups
        queries = weights.query_heads * size
        rotate(qkv, self._factors, queries + heads * size)
        new = qkv[:, queries:].view(rows, 2, heads, size)
        for part, buffer in enumerate((key, value)):
            buffer.view(-1, size).index_copy_(0, self._where, new[:, part].reshape(-1, size))
        k, v = (buffer.view(-1, step.capacity, size)[: rows * heads, : self._seen] for buffer in (key, value))
        scores = torch.bmm(qkv[:, :queries].reshape(rows * heads, groups, size), k.transpose(1, 2))
        scores.view(rows, heads, groups, self._seen).add_(self._mask)
        return torch.bmm(scores.softmax(-1), v).view(rows, queries)

    def norm(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], weight, self._weights.eps)

    def gated(self, gate_up: Tensor) -> Tensor:
        gate, up = gate_up.chunk(2, -1)
        return F.silu(gate).mul_(up)

    def _prepare(self, step: Step) -> None:
        self._step = step
        heads = self._weights.key_heads
        self._factors = step.rotations[step.lengths]
        # Columns that nobody needs cost less than a product over a part of the buffer.
        self._seen = step.capacity if step.capacity <= 2 * step.longest else step.longest
        hidden = torch.arange(self._seen) > step.lengths[:, None]
        self._mask = torch.zeros(hidden.shape).masked_fill_(hidden, -torch.inf)[:, None, None]
        slots = torch.arange(len(step.lengths) * heads) * step.capacity
        self._where = slots + step.lengths.repeat_interleave(heads)


class CompiledKernels:
    """Reads each row's own columns only, where torch reads the longest row's for all."""

    def __init__(self, weights: Weights, library: CDLL) -> None:
        self._weights = weights
        self._library = library
        self._scratch = torch.zeros(0)

    def attend(self, qkv: Tensor, step: Step, key: Tensor, value: Tensor) -> Tensor:
        weights, rows = self._weights, len(qkv)
        if len(self._scratch) < step.capacity:
            self._scratch = torch.zeros(step.capacity)
        out = qkv.new_empty(rows, weights.query_heads * weights.head_size)
        tensors = (qkv, step.rotations, step.lengths, key, value, self._scratch, out)
        pointers = (tensor.data_ptr() for tensor in tensors)
        self._library.attend(rows, weights.key_heads, weights.groups, step.capacity, *pointers)
        return out

    def norm(self, x: Tensor, weight: Tensor) -> Tensor:
        out = torch.empty_like(x)
        self._library.norm(*x.shape, x.data_ptr(), weight.data_ptr(), self._weights.eps, out.data_ptr())
        return out

    def gated(self, gate_up: Tensor) -> Tensor:
        rows, width = gate_up.shape
        out = gate_up.new_empty(rows, width // 2)
        self._library.gated(rows, width // 2, gate_up.data_ptr(), out.data_ptr())
        return out


def rotate(qkv: Tensor, factors: Tensor, width: int) -> None:
    """The first `width` columns of [B, …] in place, by factors [B, D]: pairs of cosine and sine."""
    by = torch.view_as_complex(factors.view(len(qkv), 1, -1, 2))
    torch.view_as_complex(qkv[:, :width].view(len(qkv), -1, factors.shape[1] // 2, 2)).mul_(by)
