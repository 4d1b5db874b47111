"""Which answer to return when a fitted model can say how likely each of them is right.

Votes, sums of scores and the best score each elect well on some problems and badly on others; the model weighs them.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.calibration import ConfidenceModel
from domain.verdict import Evidence
from search.confidence import fitted_confidence
from search.features import evidence_for, probability
from search.voting import AnswerClass

LIKELIEST = "likeliest"
"""The confidence model of searches that return the likeliest answer of independent solutions …"""
SEARCHED = "searched"
"""… and of those that have searches over steps among them, whose solutions are kin."""
MOST = 6
"""Only the leading classes are looked at."""


def likeliest(model: ConfidenceModel, candidates: Sequence[Evidence]) -> int:
    """Index of the answer that is most likely right; the earliest among equals."""
    chances = [probability(model.logistic, one) for one in candidates[:MOST]]
    return chances.index(max(chances))


def elect(model: ConfidenceModel, classes: Sequence[AnswerClass], sampled: int) -> tuple[AnswerClass, float]:
    """The likeliest of the classes (heaviest first, not empty), and P(it is right)."""
    candidates = [evidence_for(classes, one, sampled) for one in classes[:MOST]]
    at = likeliest(model, candidates)
    return classes[at], fitted_confidence(model, candidates[at])
