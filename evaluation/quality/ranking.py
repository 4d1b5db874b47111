"""The AUC over the solutions of all problems together: shown beside the one within problems, and never a gate.

A scorer that has only learnt how hard a problem is does well here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.quality.metrics import Vote
from evaluation.statistics import Array, Interval, around

RESAMPLES = 300


def global_auc(problems: Sequence[Sequence[Vote]], counts: Array) -> Interval:
    """The chance that a right solution scores above a wrong one of any problem; a tie counts half.

    `counts` [resamples, problems] says how often each resample holds each problem.
    """
    cast = [(vote.score, vote.right, at) for at, votes in enumerate(problems) for vote in votes if vote.key is not None]
    scores, right = np.array([one[0] for one in cast]), np.array([float(one[1]) for one in cast])
    owner = np.array([one[2] for one in cast], dtype=np.int64)
    place = np.unique(scores, return_inverse=True)[1].astype(np.int64)
    value = _auc(place, right, np.ones(len(cast)))
    return around(value, np.array([_auc(place, right, drawn[owner]) for drawn in counts[:RESAMPLES]]))


def _auc(place: NDArray[np.int64], right: Array, weights: Array) -> float:
    """`place` is the rank of each solution's score among the distinct scores."""
    rights = np.bincount(place, right * weights)
    wrongs = np.bincount(place, (1 - right) * weights)
    below = np.cumsum(wrongs) - wrongs
    pairs = rights.sum() * wrongs.sum()
    return float((rights * (below + wrongs / 2)).sum() / pairs) if pairs else float("nan")
