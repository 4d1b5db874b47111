"""Finding the first wrong step (ProcessBench, arXiv 2412.06559): accuracy on wrong and on sound solutions, and F1.

Law: the threshold below which a step counts as wrong is chosen on the calibration split, never on the test split.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluation.quality.record import ProblemRecord, Solution
from evaluation.statistics import Array

THRESHOLDS = 200
"""Most candidates that are tried."""


def judged(record: ProblemRecord) -> list[Solution]:
    """The different solutions that have scores and a clear label: an error somewhere, or none and a right end."""
    found = {one.text: one for one in record.solutions if one.prm and (one.first_error is not None or one.sound)}
    return list(found.values())


def predicted(scores: Sequence[float], threshold: float) -> int | None:
    """Index of the first step below the threshold; None: no error is seen."""
    return next((at for at, score in enumerate(scores) if score < threshold), None)


def counts(record: ProblemRecord, threshold: float) -> tuple[int, int, int, int]:
    """Of one problem: wrong solutions whose first error was found, wrong ones, sound ones accepted, sound ones."""
    wrong_found = wrong = sound_found = sound = 0
    for one in judged(record):
        hit = predicted(one.prm, threshold) == one.first_error
        if one.first_error is None:
            sound, sound_found = sound + 1, sound_found + hit
        else:
            wrong, wrong_found = wrong + 1, wrong_found + hit
    return wrong_found, wrong, sound_found, sound


def f1(means: Array) -> Array:
    """Harmonic mean of the two accuracies, from sums or means of `counts`: [..., 4] to [...]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        on_wrong, on_sound = means[..., 0] / means[..., 1], means[..., 2] / means[..., 3]
        both = on_wrong + on_sound
        found: Array = np.where(both > 0, 2 * on_wrong * on_sound / both, both)
    return found


def choose_threshold(calibration: Sequence[ProblemRecord]) -> float:
    """The threshold with the highest F1 on the calibration split (the lowest among equals); 0.5 where there is none."""
    scores = sorted({score for record in calibration for one in judged(record) for score in one.prm})
    if not scores:
        return 0.5
    candidates = scores[:: max(1, len(scores) // THRESHOLDS)]
    table = [f1(np.sum([counts(one, at) for one in calibration], axis=0, dtype=np.float64)) for at in candidates]
    return candidates[int(np.argmax(np.nan_to_num(np.array(table), nan=-1.0)))]
