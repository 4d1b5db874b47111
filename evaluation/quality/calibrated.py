"""Whether a score means what it says: reliability diagram and expected calibration error (arXiv 1706.04599)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.quality.metrics import Vote
from evaluation.statistics import Array, Bootstrap, Interval

BINS = 10


@dataclass(frozen=True)
class Reliability:
    ece: Interval
    shares: tuple[Interval, ...]
    """For each of ten equal bins of the score the share that is right."""
    scores: tuple[float, ...]
    """The mean score in each bin; NaN in an empty one."""
    counts: tuple[int, ...]


def reliability(problems: Sequence[Sequence[Vote]], bootstrap: Bootstrap) -> Reliability:
    """Of all finished solutions as they were sampled."""
    sums = np.array([_sums(votes) for votes in problems])  # [problems, 3, BINS]
    number, right = sums[:, 0], sums[:, 2]
    totals = sums.sum(axis=0)
    with np.errstate(invalid="ignore"):
        means = totals[1] / totals[0]
    return Reliability(
        bootstrap.of(sums.reshape(len(sums), -1), _ece),
        tuple(bootstrap.ratio(right[:, at], number[:, at]) for at in range(BINS)),
        tuple(map(float, means)),
        tuple(int(count) for count in totals[0]),
    )


def _sums(votes: Sequence[Vote]) -> Array:
    """For each bin: how many, the sum of their scores, how many are right."""
    found = np.zeros((3, BINS))
    for vote in votes:
        if vote.key is not None:
            found[:, min(BINS - 1, int(vote.score * BINS))] += (1.0, vote.score, vote.right)
    return found


def _ece(means: Array) -> Array:
    """Σ |share right − mean score| over bins, weighted by their size: [..., 3 × BINS] to [...]."""
    number, score, right = (means[..., at * BINS : (at + 1) * BINS] for at in range(3))
    found: Array = np.abs(right - score).sum(-1) / number.sum(-1)
    return found
