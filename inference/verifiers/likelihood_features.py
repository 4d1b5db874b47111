"""What a language model's own probabilities say of each step of a solution.

A model that knows more than the policy finds wrong steps improbable. These numbers are its surprise, taken for each
step and for all steps until there; a small head makes a probability of them (see `step_likelihood`). Separators between
steps are left out: a policy does not write one after its last step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

FEATURES = (
    "step_min_logprob",
    "step_mean_logprob",
    "step_sum_logprob",
    "step_min_gap",
    "step_mean_gap",
    "step_max_entropy",
    "step_mean_entropy",
    "so_far_min_logprob",
    "so_far_sum_logprob",
    "so_far_min_gap",
    "so_far_log_tokens",
)
"""Per-token log p, its gap to the likeliest token's (≤ 0) and the entropy, in nats."""
FLOOR = -30.0
"""No log-probability counts for less: one token of probability 0 must not drown all others."""


Surprise: TypeAlias = tuple[float, float, float]
"""Of one token: log p, its gap to the likeliest token's, and the entropy."""


def surprises(logits: Tensor, ids: Tensor) -> list[Surprise]:
    """Of tokens `ids` [N], from the logits [N, V] before each of them."""
    logprobs = logits.float().log_softmax(-1)
    chosen = logprobs.gather(-1, ids[:, None])[:, 0].clamp(min=FLOOR)
    gaps = (chosen - logprobs.amax(-1)).clamp(min=FLOOR, max=0.0)
    entropies = -(logprobs.exp() * logprobs).nan_to_num().sum(-1)
    return [(one, gap, entropy) for one, gap, entropy in torch.stack([chosen, gaps, entropies], -1).tolist()]


def own_end(start: int, end: int, separator: int) -> int:
    """Where a step's own tokens end, of the tokens `start` … `end` - 1 of which the last `separator` separate."""
    return max(end - separator, start + 1)


def step_features(steps: Sequence[Sequence[Surprise]]) -> Tensor:
    """Features [steps, len(FEATURES)] of one solution, from each step's own tokens."""
    rows: list[list[float]] = []
    low_so_far, sum_so_far, gap_so_far, tokens = 0.0, 0.0, 0.0, 0
    for step in steps:
        logprobs, gaps, entropies = zip(*step, strict=True)
        count, total = len(step), math.fsum(logprobs)
        low_so_far = min(low_so_far, *logprobs)
        gap_so_far = min(gap_so_far, *gaps)
        sum_so_far += total
        tokens += count
        rows.append(
            [
                min(logprobs), total / count, total, min(gaps), math.fsum(gaps) / count,
                max(entropies), math.fsum(entropies) / count, low_so_far, sum_so_far, gap_so_far, math.log1p(tokens),
            ]
        )  # fmt: skip
    return torch.tensor(rows)
