"""One number from the scores of a solution's steps (2408.03314, appendix E: `last` did best with their verifier)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Aggregation = Callable[[Sequence[float]], float]

AGGREGATIONS: dict[str, Aggregation] = {
    "last": lambda scores: scores[-1],
    "min": min,
    "product": math.prod,
    "mean": lambda scores: math.fsum(scores) / len(scores),
}


def aggregate(name: str, scores: Sequence[float]) -> float:
    """`scores` must not be empty: a solution without a score has no number."""
    return AGGREGATIONS[name](scores)
