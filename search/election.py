"""Which answer to return when a fitted model can say how likely each of them is right.

Of independent solutions, votes, sums of scores and the best score each elect well on some problems and badly on
others; the model weighs them. Of searches over steps the largest sum of scores does as well as any other rule, and
better than a model: the verifier has already had its say in what they came to. There the model only says how sure that
makes.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.calibration import Calibration, ConfidenceModel
from domain.recipe import StrategySpec
from domain.verdict import Evidence
from search.confidence import fitted_confidence
from search.features import evidence_for, probability
from search.voting import AnswerClass

LIKELIEST = "likeliest"
"""The confidence model of searches that return the likeliest answer of independent solutions …"""
SEARCHED = "searched"
"""… of those that have one search over steps behind them, whose solutions are kin: a model for each strategy and size
(`after_one`) …"""
SEARCHED_AGAIN = "searched_again"
"""… and of those that have several."""
MOST = 6
"""Only the leading classes are looked at."""


def likeliest(model: ConfidenceModel, candidates: Sequence[Evidence]) -> int:
    """Index of the answer that is most likely right; the earliest among equals."""
    chances = [probability(model.logistic, one) for one in candidates[:MOST]]
    return chances.index(max(chances))


def after_one(stage: StrategySpec) -> str:
    """The model for a search with this one search over steps behind it: the same scores mean less after a large one,
    which had more chances to find what pleases the verifier."""
    return f"{SEARCHED} {stage.name} {getattr(stage, 'n', 1)}"


def model_after(calibration: Calibration | None, stages: Sequence[StrategySpec]) -> ConfidenceModel | None:
    """The model for a search with these searches over steps behind it; None where none was fitted."""
    if calibration is None:
        return None
    if len(stages) != 1:
        return calibration.model(SEARCHED_AGAIN if stages else LIKELIEST)
    # Fits of before have one model for all of them; traces of then are to replay as they were.
    return calibration.model(after_one(stages[0])) or calibration.model(SEARCHED)


def elect(
    model: ConfidenceModel, classes: Sequence[AnswerClass], sampled: int, search_flops: float = 0.0
) -> tuple[AnswerClass, float]:
    """The likeliest of the classes (heaviest first, not empty), or the heaviest, and P(it is right)."""
    leading = classes[:MOST] if model.family == LIKELIEST else classes[:1]
    candidates = [evidence_for(classes, one, sampled, search_flops) for one in leading]
    at = likeliest(model, candidates)
    return classes[at], fitted_confidence(model, candidates[at])
