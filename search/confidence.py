"""How sure the verdict is: a fitted probability where there is one for this kind of search, else plain agreement.

Without a fit:  confidence = share × answered / (sampled + 1)

For plain votes this is v / (n + 1), the mean of a Beta(0, 1) posterior: 0.5 after one sample, 0.9 only after nine
unanimous ones. Samples that were truncated or gave no answer count against it. It measures agreement, not truth: on
problems where the policy is consistently wrong it is too high, and the verdict says that it is not calibrated.

With a fit it is P(the returned answer is right), fitted at the times at which searches stop
(`evaluation.calibration_fit`), since a search that stops as soon as it looks sure stops too often where it looks sure
by chance.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

from domain.calibration import Calibration, ConfidenceModel
from domain.verdict import ConfidenceKind, Evidence, Verdict
from search.features import probability

PARALLEL = frozenset({"self_consistency", "best_of_n", "adaptive_voting"})
"""Strategies of independent whole solutions: one fit serves them all."""


def agreement_confidence(share: float, answered: int, sampled: int) -> float:
    """`share` of the total weight in [0, 1]; `answered` of the `sampled` solutions ended in an answer."""
    if answered == 0:
        return 0.0
    return share * answered / (sampled + 1)


def family_of(name: str, evidence: Evidence, selection: str | None = None) -> str:
    """Which fitted model speaks for a verdict of the strategy of this name."""
    if name not in PARALLEL:
        return name
    if evidence.scored == 0:
        return "votes"
    return "best" if selection == "best" else "scored"


def fitted_confidence(model: ConfidenceModel, evidence: Evidence) -> float:
    """P(right), in [0, 1]."""
    known = _within(evidence, model.most_samples)
    return _interpolated(model.raw, model.sure, probability(model.logistic, known))


def calibrated(verdict: Verdict, family: str, calibration: Calibration | None) -> Verdict:
    """The verdict with the fitted confidence, where there is one for its family; else as it is."""
    model = None if calibration is None else calibration.model(family)
    if model is None or verdict.evidence is None or verdict.answer is None:
        return verdict
    confidence = fitted_confidence(model, verdict.evidence)
    return replace(verdict, confidence=confidence, confidence_kind=ConfidenceKind.CALIBRATED)


def _within(evidence: Evidence, most: int) -> Evidence:
    """Evidence of more samples than any that was fitted on, as if it were that many, in the same proportions."""
    if evidence.sampled <= most:
        return evidence
    part = most / evidence.sampled
    return replace(
        evidence,
        sampled=most,
        answered=round(evidence.answered * part),
        votes=round(evidence.votes * part),
        rival_votes=round(evidence.rival_votes * part),
        scored=round(evidence.scored * part),
        weight=evidence.weight * part,
        rival_weight=evidence.rival_weight * part,
        total_weight=evidence.total_weight * part,
    )


def _interpolated(xs: tuple[float, ...], ys: tuple[float, ...], x: float) -> float:
    if x <= xs[0]:
        return ys[0]
    if x >= xs[-1]:
        return ys[-1]
    at = bisect_right(xs, x)
    share = (x - xs[at - 1]) / (xs[at] - xs[at - 1])
    return ys[at - 1] + share * (ys[at] - ys[at - 1])
