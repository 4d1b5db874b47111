"""Accuracy at N and ranking within a problem. Pure; one problem at a time (intervals: `evaluation.statistics`).

Law: an unfinished solution has no vote and is never right; where fewer than all solutions are used, the disjoint groups
of N, in the order of sampling, are averaged; ties go to what was sampled first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from inference.verifiers.ranking import within_auc


@dataclass(frozen=True, slots=True)
class Vote:
    """One sampled solution as a method of selection sees it."""

    key: str | None
    """Stands for its answer's class; None for an unfinished solution."""
    right: bool
    score: float


UNFINISHED = Vote(None, False, 0.0)

Selector: TypeAlias = Callable[[Sequence[Vote]], bool]
"""Whether the answer that a method selects is right."""


def majority(votes: Sequence[Vote]) -> bool:
    """The answer with the most votes."""
    return _heaviest(votes, lambda vote: 1.0)


def weighted(votes: Sequence[Vote]) -> bool:
    """The answer with the largest sum of scores (best-of-N weighted). Scores must not be negative."""
    return _heaviest(votes, lambda vote: vote.score)


def best(votes: Sequence[Vote]) -> bool:
    """The answer of the one solution with the highest score (plain best-of-N)."""
    cast = [vote for vote in votes if vote.key is not None]
    return bool(cast) and max(cast, key=lambda vote: vote.score).right


def at_n(select: Selector, votes: Sequence[Vote], n: int) -> float:
    """How often `select` is right on `n` solutions. Raises ValueError when there are fewer."""
    groups = [votes[start : start + n] for start in range(0, len(votes) - n + 1, n)]
    if not groups:
        raise ValueError(f"{len(votes)} solutions are fewer than {n}")
    return sum(map(select, groups)) / len(groups)


def pass_at(right: int, n: int, k: int) -> float:
    """The chance that some of `k` solutions is right when `right` of `n` are: unbiased (arXiv 2107.03374, eq. 1)."""
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} needs at least {k} solutions, and there are {n}")
    return 1.0 - math.comb(n - right, k) / math.comb(n, k)


def within_problem_auc(votes: Sequence[Vote]) -> float | None:
    """Of the scores of one problem's solutions; unfinished ones are left out."""
    wrongs = [vote.score for vote in votes if not vote.right and vote.key is not None]
    return within_auc([vote.score for vote in votes if vote.right], wrongs)


def difficulty_bins(rates: Sequence[float], bins: int = 5) -> list[int]:
    """Equal bins of measured pass@1, 0 the easiest (arXiv 2408.03314, section 3.2); ties keep their order."""
    order = sorted(range(len(rates)), key=lambda at: -rates[at])
    found = [0] * len(rates)
    for rank, at in enumerate(order):
        found[at] = rank * bins // len(rates)
    return found


def _heaviest(votes: Sequence[Vote], weight: Callable[[Vote], float]) -> bool:
    sums: dict[str, float] = {}
    right: dict[str, bool] = {}
    for vote in votes:
        if vote.key is not None:
            sums[vote.key] = sums.get(vote.key, 0.0) + weight(vote)
            right[vote.key] = vote.right
    return bool(sums) and right[max(sums, key=sums.__getitem__)]
