"""Logistic regression by Newton's method with a ridge, and a rising curve by pooling adjacent violators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from domain.calibration import Logistic
from domain.verdict import Evidence
from search.features import FEATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

Array = Any
ITERATIONS = 30


def feature_rows(names: Sequence[str], evidence: Sequence[Evidence]) -> NDArray[np.float64]:
    """[len(evidence), len(names)]."""
    readers = [FEATURES[name] for name in names]
    return np.array([[read(one) for read in readers] for one in evidence], dtype=np.float64)


def fit_logistic(names: Sequence[str], rows: Array, targets: Array, weights: Array, ridge: float = 1.0) -> Logistic:
    """`targets` in [0, 1] (rates are allowed); `ridge` in units of one observation of weight 1."""
    means = np.average(rows, axis=0, weights=weights)
    spreads = np.sqrt(np.average((rows - means) ** 2, axis=0, weights=weights)) + 1e-6
    design = np.column_stack([(rows - means) / spreads, np.ones(len(rows))])
    penalty = np.full(design.shape[1], ridge)
    penalty[-1] = 1e-6
    beta = np.zeros(design.shape[1])
    for _ in range(ITERATIONS):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (weights * (p - targets)) + penalty * beta
        curvature = (design * (weights * p * (1 - p) + 1e-9)[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        beta -= np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-6:
            break
    numbers = [tuple(float(round(value, 6)) for value in part) for part in (means, spreads, beta[:-1])]
    return Logistic(tuple(names), numbers[0], numbers[1], numbers[2], float(round(beta[-1], 6)))


def predict(model: Logistic, rows: Array) -> NDArray[np.float64]:
    """The same numbers as `search.features.probability`, for rows of features."""
    z = ((rows - np.array(model.means)) / np.array(model.spreads)) @ np.array(model.weights) + model.bias
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -30, 30))))


def rising(values: Array, weights: Array) -> NDArray[np.float64]:
    """The rising sequence that is nearest to `values` by weighted squares (pool adjacent violators)."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        blocks.append((float(value), float(weight), 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (a, wa, na), (b, wb, nb) = blocks[-2:]
            blocks[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    return np.repeat([value for value, _, _ in blocks], [count for _, _, count in blocks])
