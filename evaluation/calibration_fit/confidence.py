"""Fits P(the returned answer is right) for one family of searches.

Law: the curve that turns the logistic's output into a probability is fitted on problems that the logistic was not
fitted on. It lies between two, nearer to the lower one: one over the states in which searches stop early, at the first
moment at which they look sure enough, for many meanings of "enough" (a search that may stop at any time picks the
moments at which it looks sure), and one over all states, since a search that has long been unsure is worse than one
that just became as sure.
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
from search.election import SEARCHED
from search.features import FEATURES, SCORES, VOTES

FOLDS = 5
THRESHOLDS = (*(at / 20 for at in range(1, 20)), 0.97, 0.98, 0.99)
KNOTS = 24
LOWERING = 0.25
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
    if family == "votes":
        return tuple(VOTES)
    return tuple(FEATURES) if family.startswith(SEARCHED) else (*VOTES, *SCORES)


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
    raw, sure = _curves(table, held)
    return ConfidenceModel(
        family=family,
        logistic=fit_logistic(names, table.rows, table.right, table.weight),
        raw=raw,
        sure=sure,
        problems=problems,
        most_samples=max(one.evidence.sampled for states in searches for one in states),
    )


def curve_over(
    searches: Sequence[Sequence[State]], predicted: Sequence[Sequence[float]]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The curve from held-out predictions, one for each state of each search."""
    table = table_of(searches, ())
    kept = [
        chance
        for states, chances in zip(searches, predicted, strict=True)
        for one, chance in zip(states, chances, strict=True)
        if one.evidence.answered
    ]
    return _curves(table, np.array(kept))


def _curves(table: Table, held: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    everywhere, stops = np.arange(len(held)), _stops(table, held)
    # Where no search is sure enough to stop anywhere, all that is known are the states it passes.
    return _between(_curve(table, held, stops if len(stops) else everywhere), _curve(table, held, everywhere))


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


def _stops(table: Table, predicted: Any) -> Any:
    """Indices of the states in which a search would stop, once for each threshold that it reaches."""
    starts = np.flatnonzero(np.r_[True, table.search[1:] != table.search[:-1]])
    ends = np.r_[starts[1:], len(table.search)]
    found = [
        int(start + np.argmax(predicted[start:end] >= threshold))
        for start, end in zip(starts, ends, strict=True)
        for threshold in THRESHOLDS
        if (predicted[start:end] >= threshold).any()
    ]
    return np.array(found)


def _curve(table: Table, predicted: Any, chosen: Any) -> tuple[Any, Any]:
    """Knots (raw, sure) of a rising curve over the chosen states."""
    order = chosen[np.argsort(predicted[chosen], kind="stable")]
    bins = [part for part in np.array_split(order, KNOTS) if len(part)]
    raw = np.array([predicted[part].mean() for part in bins])
    means = [np.average(table.right[part], weights=table.weight[part]) for part in bins]
    lows = [_lower(mean, len(set(table.problem[part].tolist()))) for mean, part in zip(means, bins, strict=True)]
    return raw, rising(np.array(lows), np.array([len(part) for part in bins]))


def _between(one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    raw = np.unique(np.round(np.r_[one[0], other[0]], 4))
    sure = np.sort([np.interp(raw, *one), np.interp(raw, *other)], axis=0)
    sure = (2 * sure[0] + sure[1]) / 3
    return tuple(raw.tolist()), tuple(np.round(sure, 4).tolist())


def _lower(mean: float, problems: int) -> float:
    """A little below the mean, the more so the fewer problems it is of: thin data must not promise much."""
    spread = np.sqrt((mean * (1 - mean) + 0.25 / problems) / problems)
    return float(max(0.0, mean - LOWERING * spread))
