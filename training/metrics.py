"""What sampled and scored solutions are worth: accuracy at N, and ranking within a problem.

Law: every accuracy comes with its standard error over problems; N solutions are taken in the order they were sampled,
and where fewer than all are used, the disjoint groups of N are averaged.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Graded:
    """One sampled solution."""

    key: str | None
    """Normal form of its answer; None for an unfinished solution or one without an answer."""
    right: bool
    score: float
    """The verifier's score of its last step; 0 where there is no answer to score."""


@dataclass(frozen=True, slots=True)
class Estimate:
    mean: float
    error: float
    """Standard error of the mean over problems."""
    problems: int


Selector: TypeAlias = Callable[[Sequence[Graded]], bool]


def estimate(values: Iterable[float]) -> Estimate:
    found = list(values)
    mean = math.fsum(found) / len(found)
    spread = math.fsum((value - mean) ** 2 for value in found) / max(1, len(found) - 1)
    return Estimate(mean, math.sqrt(spread / len(found)), len(found))


def accuracy(problems: Sequence[Sequence[Graded]], select: Selector, n: int) -> Estimate:
    """How often `select` is right on N solutions of a problem."""
    return estimate(_mean(select(group) for group in _groups(samples, n)) for samples in problems)


def majority(samples: Sequence[Graded]) -> bool:
    """The answer with the most votes; of equals, the one that was sampled first."""
    return _heaviest(samples, lambda item: 1.0)


def weighted(samples: Sequence[Graded]) -> bool:
    """The answer with the largest sum of scores."""
    return _heaviest(samples, lambda item: item.score)


def best(samples: Sequence[Graded]) -> bool:
    """The answer of the one solution with the largest score."""
    answered = [item for item in samples if item.key is not None]
    return bool(answered) and max(answered, key=lambda item: item.score).right


def any_right(samples: Sequence[Graded]) -> bool:
    return any(item.right for item in samples)


def within_problem_auc(problems: Sequence[Sequence[Graded]]) -> Estimate:
    """Mean over problems of the chance that a right solution scores above a wrong one (a tie counts half).

    Only problems with both kinds count, and solutions without an answer are left out.
    """
    values = [_auc(samples) for samples in problems]
    found = [value for value in values if value is not None]
    return estimate(found) if found else Estimate(math.nan, math.nan, 0)


def _auc(samples: Sequence[Graded]) -> float | None:
    rights = [item.score for item in samples if item.right]
    wrongs = [item.score for item in samples if not item.right and item.key is not None]
    if not rights or not wrongs:
        return None
    wins = sum((a > b) + 0.5 * (a == b) for a in rights for b in wrongs)
    return wins / (len(rights) * len(wrongs))


def _heaviest(samples: Sequence[Graded], weight: Callable[[Graded], float]) -> bool:
    sums: dict[str, float] = defaultdict(float)
    right = Counter[str]()
    for item in samples:
        if item.key is not None:
            sums[item.key] += weight(item)
            right[item.key] += item.right
    return bool(sums) and right[max(sums, key=sums.__getitem__)] > 0


def _groups(samples: Sequence[Graded], n: int) -> list[Sequence[Graded]]:
    return [samples[start : start + n] for start in range(0, len(samples) - n + 1, n)]


def _mean(values: Iterable[bool]) -> float:
    found = list(values)
    return sum(found) / len(found)
