"""Fits P(the returned answer is right) for one family of searches.

Law: the curve that turns the logistic's output into a probability is fitted on problems that the logistic was not
fitted on, at the states in which searches end: at the first moment at which they look sure enough, for many meanings of
"enough", and when their samples run out. A search that may stop at any time picks the moments at which it looks sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from domain.calibration import ConfidenceModel
from evaluation.calibration_fit.logistic import feature_rows, fit_logistic, predict, rising
from evaluation.calibration_fit.traces import GradedProblem
from evaluation.calibration_fit.trajectories import State, trajectories
from search.features import FEATURES, VOTES

FOLDS = 5
THRESHOLDS = (*(at / 20 for at in range(1, 20)), 0.97, 0.98, 0.99)
KNOTS = 24
LOWERING = 0.5
"""Standard errors (over problems) by which a knot lies below the accuracy that was seen."""


@dataclass(frozen=True)
class Table:
    """States of many searches as arrays of the same length; the states of one search follow each other."""

    rows: Any
    right: Any
    problem: Any
    search: Any
    """Index of the search."""
    weight: Any
    """1 / (states of its search): each search counts the same."""


def names_of(family: str) -> tuple[str, ...]:
    return tuple(VOTES) if family == "votes" else tuple(FEATURES)


def table_of(searches: Sequence[Sequence[State]], names: Sequence[str]) -> Table:
    """Only states with an answer: before the first one there is nothing to be sure of."""
    kept = [(at, one, len(states)) for at, states in enumerate(searches) for one in states if one.evidence.answered]
    return Table(
        rows=feature_rows(names, [one.evidence for _, one, _ in kept]),
        right=np.array([float(one.right) for _, one, _ in kept]),
        problem=np.array([one.problem for _, one, _ in kept]),
        search=np.array([at for at, _, _ in kept]),
        weight=np.array([1.0 / states for _, _, states in kept]),
    )


def fit_family(problems: Sequence[GradedProblem], family: str, *, orders: int = 4) -> ConfidenceModel:
    """`family` is `votes`, `scored` or `best`; the latter two need scores."""
    searches = list(trajectories(problems, family, orders=orders))
    return fit_searches(searches, family, len(problems))


def fit_searches(searches: Sequence[Sequence[State]], family: str, problems: int) -> ConfidenceModel:
    """From recorded searches of any kind; each one's states are in the order of time."""
    names = names_of(family)
    table = table_of(searches, names)
    held = _held_out(table, names)
    raw, sure = _curve(table, held, _endings(table, held))
    return ConfidenceModel(
        family=family,
        logistic=fit_logistic(names, table.rows, table.right, table.weight),
        raw=raw,
        sure=sure,
        problems=problems,
        most_samples=max(one.evidence.sampled for states in searches for one in states),
    )


def _held_out(table: Table, names: Sequence[str]) -> Any:
    """Each state's prediction by a model that did not see its problem."""
    held = np.zeros(len(table.right))
    fold = table.problem % FOLDS
    for at in range(FOLDS):
        seen, kept = fold != at, fold == at
        if kept.any() and seen.any():
            model = fit_logistic(names, table.rows[seen], table.right[seen], table.weight[seen])
            held[kept] = predict(model, table.rows[kept])
    return held


def _endings(table: Table, predicted: Any) -> Any:
    """Indices of the states in which searches end: once for each threshold, and once where the samples run out."""
    starts = np.flatnonzero(np.r_[True, table.search[1:] != table.search[:-1]])
    ends = np.r_[starts[1:], len(table.search)]
    found: list[int] = []
    for start, end in zip(starts, ends, strict=True):
        for threshold in THRESHOLDS:
            sure = np.flatnonzero(predicted[start:end] >= threshold)
            if len(sure):
                found.append(int(start + sure[0]))
        found.append(int(end - 1))
    return np.array(found)


def _curve(table: Table, predicted: Any, endings: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    order = endings[np.argsort(predicted[endings], kind="stable")]
    bins = [part for part in np.array_split(order, KNOTS) if len(part)]
    raw = np.array([predicted[part].mean() for part in bins])
    lows = np.array([_lower(table.right[part].mean(), len(set(table.problem[part].tolist()))) for part in bins])
    sure = rising(lows, np.array([len(part) for part in bins]))
    kept = np.r_[True, np.diff(raw) > 1e-6]
    return tuple(np.round(raw[kept], 5).tolist()), tuple(np.round(sure[kept], 4).tolist())


def _lower(mean: float, problems: int) -> float:
    """A little below the mean, the more so the fewer problems it is of: thin data must not promise much."""
    spread = np.sqrt((mean * (1 - mean) + 0.25 / problems) / problems)
    return float(max(0.0, mean - LOWERING * spread))
