"""What a language model's own probabilities say of each step of a solution.

A model that knows more than the policy finds wrong steps improbable. These numbers are its surprise, taken for each
step and for all steps until there; a small head makes a probability of them (see `step_likelihood`). Separators between
steps are left out: a policy does not write one after its last step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

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


def step_features(logits: Tensor, ids: Tensor, ends: Sequence[int], start: int, separator: int) -> Tensor:
    """Features [steps, len(FEATURES)] of one solution.

    `logits` [T, V] predict the token *after* each position of `ids` [T]; `start` is the index of the first token of the
    first step; `ends` are the indices of each step's last separator token, and a separator has `separator` tokens.
    """
    first = torch.tensor([start, *(end + 1 for end in ends[:-1])])
    logprobs = logits[start - 1 : ends[-1]].float().log_softmax(-1)  # of the tokens start … ends[-1]
    chosen = logprobs.gather(-1, ids[start : ends[-1] + 1, None])[:, 0].clamp(min=FLOOR)
    gaps = (chosen - logprobs.amax(-1)).clamp(min=FLOOR, max=0.0)
    entropies = -(logprobs.exp() * logprobs).nan_to_num().sum(-1)
    spans = [
        (int(low) - start, max(end + 1 - separator - start, int(low) - start + 1))
        for low, end in zip(first, ends, strict=True)
    ]
    return _table(chosen, gaps, entropies, spans)


def _table(chosen: Tensor, gaps: Tensor, entropies: Tensor, spans: Sequence[tuple[int, int]]) -> Tensor:
    rows: list[list[float]] = []
    low_so_far, sum_so_far, gap_so_far, tokens = 0.0, 0.0, 0.0, 0
    for begin, end in spans:
        logprob, gap, entropy = chosen[begin:end], gaps[begin:end], entropies[begin:end]
        low_so_far = min(low_so_far, float(logprob.min()))
        gap_so_far = min(gap_so_far, float(gap.min()))
        sum_so_far += float(logprob.sum())
        tokens += end - begin
        rows.append(
            [
                float(logprob.min()), float(logprob.mean()), float(logprob.sum()), float(gap.min()), float(gap.mean()),
                float(entropy.max()), float(entropy.mean()), low_so_far, sum_so_far, gap_so_far, math.log1p(tokens),
            ]
        )  # fmt: skip
    return torch.tensor(rows)
