"""95 % intervals over problems, for every benchmark.

Law: problems are what was drawn at random, so problems are resampled and never solutions; all numbers of one run are
read off the same resamples, so that a difference between two methods is a paired one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95
_Z = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and its 95 % interval; NaN where nothing could be measured."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        return not math.isnan(self.value)

    def scaled(self, factor: float) -> Interval:
        """For example in points: 100 × a share. `factor` must not be negative."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]" if self.known else "–"


UNKNOWN = Interval(math.nan, math.nan, math.nan)


def wilson(right: float, n: int) -> Interval:
    """Of a share of independent yes/no outcomes (Wilson 1927); unlike a bootstrap it is honest at 0 and at 1."""
    if n == 0:
        return UNKNOWN
    share, square = right / n, _Z * _Z
    middle = (share + square / (2 * n)) / (1 + square / n)
    reach = _Z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return Interval(share, min(share, middle - reach), max(share, middle + reach))


class Bootstrap:
    """Percentile bootstrap over `problems` problems (Efron 1979)."""

    def __init__(self, problems: int, seed: int = 0, resamples: int = RESAMPLES) -> None:
        if problems < 1:
            raise ValueError("there is no problem to resample")
        drawn = np.random.default_rng(seed).multinomial(problems, [1 / problems] * problems, size=resamples)
        self.counts: Array = drawn.astype(np.float64)
        """How often each resample holds each problem: [resamples, problems]."""

    def of(self, columns: Any, statistic: Callable[[Array], Array]) -> Interval:
        """Of a function of means: `columns` is [problems, K]; `statistic` takes [..., K] to [...].

        Resamples in which the statistic is not defined (nothing to divide by) don't count.
        """
        table = np.asarray(columns, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(statistic(table.mean(axis=0)[None])[0])
            draws = statistic(self.counts @ table / len(table))
        return around(value, draws)

    def mean(self, values: Sequence[float] | Array, where: Sequence[bool] | Array | None = None) -> Interval:
        """The mean of one number per problem, over the problems in `where`. May be a paired difference."""
        found = np.asarray(values, dtype=np.float64)
        among = np.ones(len(found)) if where is None else np.asarray(where, dtype=np.float64)
        return self.ratio(found * among, among)

    def ratio(self, numerators: Sequence[float] | Array, denominators: Sequence[float] | Array) -> Interval:
        """Of two sums over problems, such as a share of solutions where problems have different numbers of them."""
        return self.of(np.stack([numerators, denominators], axis=-1), lambda means: means[..., 0] / means[..., 1])

    def share(self, values: Sequence[float] | Array, where: Sequence[bool] | Array | None = None) -> Interval:
        """An accuracy: Wilson's interval where every problem has one yes or no, else the bootstrap's."""
        found = np.asarray(values, dtype=np.float64)
        if where is not None:
            found = found[np.asarray(where, dtype=bool)]
        if not np.isin(found, (0.0, 1.0)).all():
            return self.mean(values, where)  # unknown where one of the values is
        return wilson(float(found.sum()), len(found))


def around(value: float, draws: Array) -> Interval:
    """The interval of `value` from what resamples gave."""
    defined = draws[~np.isnan(draws)]
    if math.isnan(value) or not len(defined):
        return UNKNOWN
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))
