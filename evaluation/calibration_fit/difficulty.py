"""Fits how hard a problem is from a probe of a few solutions: the policy's pass rate, and five bins of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from domain.calibration import Difficulty
from domain.verdict import Evidence
from evaluation.calibration_fit.confidence import names_of
from evaluation.calibration_fit.logistic import feature_rows, fit_logistic, predict
from evaluation.calibration_fit.traces import GradedProblem
from evaluation.calibration_fit.trajectories import counted

PROBE = 1
"""Solutions, verified: a greedy one tells most of what four sampled ones do, at a quarter of their cost."""
BINS = 5


def fit_difficulty(problems: Sequence[GradedProblem], *, scored: bool, orders: int = 4) -> Difficulty:
    """Quintiles of the predicted pass rate, as in 2408.03314 (section 3.2), which binned by 2,048 samples of each."""
    family = "scored" if scored else "votes"
    names, probes = (
        names_of(family),
        [
            (probe_evidence(problem, family, order), problem.pass_rate)
            for problem in problems
            for order in range(orders)
        ],
    )
    seen = [(evidence, rate) for evidence, rate in probes if evidence is not None]
    rows = feature_rows(names, [evidence for evidence, _ in seen])
    logistic = fit_logistic(names, rows, np.array([rate for _, rate in seen]), np.ones(len(seen)), ridge=5.0)
    # A probe without any answer is as hard as it gets, and counts in the quintiles.
    rates = np.r_[predict(logistic, rows), np.zeros(len(probes) - len(seen))]
    edges = np.quantile(rates, [1 - at / BINS for at in range(1, BINS)])
    return Difficulty(PROBE, scored, logistic, tuple(round(float(edge), 5) for edge in edges))


def probe_evidence(problem: GradedProblem, family: str, order: int) -> Evidence | None:
    """Of the first few solutions; None when none of them has an answer."""
    found = counted(problem, order, PROBE, family, 1.0).candidates()
    return found[0][0] if found else None
