"""One number from the scores of a solution's steps (2408.03314, appendix E: `last` did best with their verifier)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean, geometric_mean

Aggregation = Callable[[Sequence[float]], float]


def _geometric(scores: Sequence[float]) -> float:
    """As the product, but no harder on long solutions than on short ones."""
    return geometric_mean(scores) if min(scores) > 0.0 else 0.0


AGGREGATIONS: dict[str, Aggregation] = {
    "last": lambda scores: scores[-1],
    "min": min,
    "product": math.prod,
    "mean": fmean,
    "geometric": _geometric,
}


def aggregate(name: str, scores: Sequence[float]) -> float:
    """`scores` must not be empty: a solution without a score has no number."""
    return AGGREGATIONS[name](scores)
