"""What a fitted confidence is worth on problems that it was not fitted on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.calibration import ConfidenceModel
from evaluation.calibration_fit.trajectories import State
from search.confidence import fitted_confidence

TARGETS = (0.5, 0.7, 0.8, 0.9, 0.95)
BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a reliability diagram."""

    count: int
    confidence: float
    accuracy: float


def reliability(pairs: Iterable[tuple[float, bool]]) -> list[Bin]:
    """Ten bars of equal width; empty ones are left out."""
    groups: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in pairs:
        groups.setdefault(min(int(confidence * BINS), BINS - 1), []).append((confidence, right))
    return [
        Bin(len(group), sum(c for c, _ in group) / len(group), sum(r for _, r in group) / len(group))
        for _, group in sorted(groups.items())
    ]


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """ECE: the mean gap between confidence and accuracy, weighted by the bars' counts."""
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.confidence - one.accuracy) for one in bins) / total


def confidence_of(model: ConfidenceModel, state: State) -> float:
    return fitted_confidence(model, state.evidence) if state.evidence.answered else 0.0
