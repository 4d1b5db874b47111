"""Choosing the next token of every row at once.

Law: a row's choice depends on its own logits, seed and position only, never on its neighbours in the batch: random
numbers are a hash of (seed, position), and the choice is the inverse of the cumulative distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

COOLEST = 1e-6
"""A lower temperature is taken for this one: as good as 0, and still a number in float32."""
_GAMMA = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed number
_MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX_2 = -7723592293110705685  # 0x94D049BB133111EB


@dataclass
class SamplerRows:
    """Sampling parameters of the batch's rows, each [B]."""

    seeds: Tensor
    positions: Tensor
    """How many tokens the row has drawn: the counter of its random numbers."""
    temperature: Tensor
    top_p: Tensor
    any_greedy: bool
    any_random: bool
    any_heat: bool
    """Whether a row samples at another temperature than 1."""
    any_nucleus: bool

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, float, float]], device: torch.device) -> SamplerRows:
        """From (seed, position, temperature, top_p) of each row."""
        seeds, positions, temperature, top_p = (
            (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
        )
        temperature = [max(value, COOLEST) if value > 0 else 0.0 for value in temperature]
        return cls(
            torch.tensor([_signed(seed) for seed in seeds], dtype=torch.int64, device=device),
            torch.tensor(positions, dtype=torch.int64, device=device),
            torch.tensor(temperature, dtype=torch.float32, device=device),
            torch.tensor(top_p, dtype=torch.float32, device=device),
            any_greedy=any(value == 0 for value in temperature),
            any_random=any(value > 0 for value in temperature),
            any_heat=any(value not in (0, 1) for value in temperature),
            any_nucleus=any(heat > 0 and p < 1 for heat, p in zip(temperature, top_p, strict=True)),
        )


def choose(logits: Tensor, rows: SamplerRows) -> tuple[Tensor, Tensor]:
    """Next tokens [B] and their natural log-probabilities at temperature 1 [B], from logits [B, V]."""
    logits = logits.float()
    # From the largest logit down, so that a temperature near 0 gives it all the weight and not infinities.
    below = logits - logits.amax(-1, keepdim=True)
    weights = below.exp()
    tokens = _draw(below, weights, rows) if rows.any_random else logits.argmax(-1)
    if rows.any_random and rows.any_greedy:
        tokens = torch.where(rows.temperature > 0, tokens, logits.argmax(-1))
    rows.positions += 1
    return tokens, below.gather(-1, tokens[:, None])[:, 0] - weights.sum(-1).log()


def uniforms(seeds: Tensor, positions: Tensor) -> Tensor:
    """Numbers in [0, 1), float64: SplitMix64 (Steele, Lea, Flood 2014) of each seed's own stream at a position."""
    bits = _mix(_mix(seeds) + (positions + 1) * _GAMMA)
    return _shift(bits, 11).double() * 2.0**-53


def _draw(below: Tensor, weights: Tensor, rows: SamplerRows) -> Tensor:
    """From logits less their largest, and their exponentials."""
    if rows.any_heat:
        weights = (below / torch.where(rows.temperature > 0, rows.temperature, 1.0)[:, None]).exp()
    if rows.any_nucleus:
        weights = weights * _nucleus(weights / weights.sum(-1, keepdim=True), rows.top_p)
    return _invert(weights, uniforms(rows.seeds, rows.positions))


def _nucleus(probabilities: Tensor, top_p: Tensor) -> Tensor:
    """The smallest set of likeliest tokens with at least `top_p` of the weight (Holtzman et al., 1904.09751), [B, V].

    In the vocabulary's order, so that a row with `top_p` 1 draws the same with or without neighbours that cut.
    """
    ordered, order = torch.sort(probabilities, dim=-1, descending=True, stable=True)
    before = ordered.double().cumsum(-1) - ordered
    kept = (before < top_p[:, None]) | (top_p[:, None] >= 1)
    return torch.zeros_like(kept).scatter(-1, order, kept)


def _invert(weights: Tensor, uniform: Tensor) -> Tensor:
    """The index at which the cumulative weight passes `uniform` times the total; weightless ones are never chosen."""
    cumulative = weights.double().cumsum(-1)
    target = uniform[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, target, right=True)[:, 0].clamp_(max=weights.shape[-1] - 1)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * _MIX_1
    x = (x ^ _shift(x, 27)) * _MIX_2
    return x ^ _shift(x, 31)


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift: torch's own one carries the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _signed(seed: int) -> int:
    seed &= (1 << 64) - 1
    return seed - (1 << 64) if seed >> 63 else seed
