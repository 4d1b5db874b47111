"""Revisions against parallel samples: how many generations reach their accuracy, and what a chain loses on its way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from evaluation.curving.curve import EQUAL
from evaluation.curving.methods import BEST, CHAIN, MAJORITY, RATIOS, WEIGHTED
from evaluation.curving.ratios import no_worse
from evaluation.curving.result import interval
from evaluation.curving.table import Cell, Table, bootstrap, by_problem, common, difference, mean
from evaluation.statistics import UNKNOWN, Interval

PARALLEL_N = 256
MOST_GENERATIONS = 64


def revisions(table: Table) -> dict[str, Any]:
    """The best ratio at most 64 generations against parallel samples, and what a chain loses."""
    parallel = table.curve(WEIGHTED)
    parallel_n = max((n for n in parallel if n <= PARALLEL_N), default=None)
    names = [*(f"revisions {ratio}" for ratio in RATIOS), CHAIN]
    curves = {name: curve for name in names if (curve := table.curve(name))}
    chain = curves.get(CHAIN, {})
    lost = {n: lost_share(cell, "right") for n, cell in chain.items()}
    result: dict[str, Any] = {
        "best_ratio": None,
        "parallel_n": parallel_n,
        "generations_for_parallel": None,
        "generations_for_parallel_within_noise": None,
        "right_lost_share": interval(lost[max(lost)]) if lost else None,
        "right_lost_share_by_length": {n: interval(one) for n, one in lost.items()},
        "right_lost_share_in_parallel": _lost_in_parallel(table, max(lost)) if lost else None,
        "right_lost_share_taking_the_last": interval(lost_share(chain[max(chain)], "last_right")) if chain else None,
    }
    if parallel_n is None or not curves:
        return result
    n = max(size for curve in curves.values() for size in curve if size <= MOST_GENERATIONS)
    at_n = {name: curve[n] for name, curve in curves.items() if n in curve}
    best = max(at_n, key=lambda name: mean(at_n[name]).value)
    reference = parallel[parallel_n]
    needed = [size for size, cell in curves[best].items() if difference(cell, reference).value >= -EQUAL]
    nearly = [size for size, cell in curves[best].items() if common([cell, reference]) and no_worse(cell, reference)]
    return result | {
        "best_ratio": best,
        "best_ratio_n": n,
        "best_ratio_minus_parallel_points": interval(_points(difference(at_n[best], reference))),
        # By the rule that revisions select by, where the keys above are against weighted sums.
        "best_ratio_minus_parallel_best_points": interval(
            _points(difference(at_n[best], table.curve(BEST).get(parallel_n, {})))
        ),
        "generations_for_parallel": min(needed, default=None),
        "generations_for_parallel_within_noise": min(nearly, default=None),
        "accuracy_at_n": {name: interval(mean(cell)) for name, cell in at_n.items()},
    }


def _lost_in_parallel(table: Table, n: int) -> list[float] | None:
    """The same of `n` independent samples, of which the first one is right."""
    first, whole = table.curve(MAJORITY).get(1, {}), table.curve(WEIGHTED).get(n, {})
    cell = {key: replace(row, first_right=first[key].right) for key, row in whole.items() if key in first}
    return interval(lost_share(cell, "right"))


def _points(one: Interval) -> Interval:
    return one.scaled(100.0) if one.known else one


def lost_share(cell: Cell, attribute: str) -> Interval:
    """Of the chains whose first attempt is right those whose answer (or, `last_right`, whose last attempt) is not."""
    keys = [key for key, row in sorted(cell.items()) if row.first_right]
    if not keys:
        return UNKNOWN
    right = by_problem(cell, keys, attribute)
    chains = np.array([sum(key[0] == problem for key in keys) for problem in dict.fromkeys(key[0] for key in keys)])
    return bootstrap(len(right)).ratio((1.0 - right) * chains, chains)
