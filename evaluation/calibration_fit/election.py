"""Fits which answer to return: P(right) of each answer of a search, and how sure the likeliest one then makes.

Law: what is returned in the searches that the curve is fitted on was chosen by a model that had not seen their problem.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from domain.calibration import ConfidenceModel, Logistic
from domain.verdict import Evidence
from evaluation.calibration_fit.confidence import FOLDS, curve_over, names_of
from evaluation.calibration_fit.logistic import feature_rows, fit_logistic
from evaluation.calibration_fit.traces import GradedProblem
from evaluation.calibration_fit.trajectories import Chooser, Counting, State, shuffled, trajectories
from search.election import FAMILY, MOST, likeliest
from search.features import probability

SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256)


def fit_election(problems: Sequence[GradedProblem], *, orders: int = 4) -> ConfidenceModel:
    """A model of the family `likeliest`; all solutions need scores."""
    logistics = _by_fold(problems, orders)
    searches = list(trajectories(problems, "scored", orders=orders, choose=held_out_choosers(logistics)))
    held = [[_chance(logistics[one.problem % FOLDS], one) for one in states] for states in searches]
    raw, sure = curve_over(searches, held)
    most = max(len(problem.samples) for problem in problems)
    return ConfidenceModel(FAMILY, logistics[FOLDS], raw, sure, len(problems), most)


def held_out_choosers(logistics: Sequence[Logistic]) -> Callable[[int], Chooser]:
    models = [_bare(one) for one in logistics]
    return lambda problem: lambda candidates: likeliest(models[problem % FOLDS], candidates)


def chooser_of(model: ConfidenceModel) -> Callable[[int], Chooser]:
    """The same fitted model for each problem."""
    return lambda _: lambda candidates: likeliest(model, candidates)


def _chance(logistic: Logistic, state: State) -> float:
    return probability(logistic, state.evidence) if state.evidence.answered else 0.0


def _bare(logistic: Logistic) -> ConfidenceModel:
    """To choose by: the curve plays no part in it."""
    return ConfidenceModel(FAMILY, logistic, (0.0, 1.0), (0.0, 1.0), 0, 1 << 30)


def _by_fold(problems: Sequence[GradedProblem], orders: int) -> list[Logistic]:
    """For each fold the model that has not seen its problems, and the one of all problems last."""
    names = names_of("scored")
    found: list[tuple[int, Evidence, bool, float]] = []
    for index, problem in enumerate(problems):
        for order in range(orders):
            found += _candidates(index, problem, order)
    rows = feature_rows(names, [one for _, one, _, _ in found])
    right = np.array([float(one) for _, _, one, _ in found])
    weight = np.array([one for *_, one in found])
    fold = np.array([index % FOLDS for index, *_ in found])
    kept = [*(fold != at for at in range(FOLDS)), np.ones(len(fold), dtype=bool)]
    return [fit_logistic(names, rows[one], right[one], weight[one]) for one in kept]


def _candidates(index: int, problem: GradedProblem, order: int) -> list[tuple[int, Evidence, bool, float]]:
    counting, found = Counting("scored", 1.0), []
    for size, sample in enumerate(shuffled(problem, order, 0), start=1):
        counting.add(sample)
        if size in SIZES:
            leading = counting.candidates()[:MOST]
            found += [(index, evidence, right, 1.0 / len(leading)) for evidence, right in leading]
    return found
