"""All numbers of the report from the records, each with its interval.

Law: everything is computed from the same solutions and the same resamples of problems; the threshold for first errors
is an argument, because it comes from elsewhere; what the records don't hold (64 solutions, an ORM) is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from evaluation.quality.arms import CHECKER, ORM, SEQUENCE, prm, votes_by_arm
from evaluation.quality.calibrated import reliability
from evaluation.quality.first_errors import counts, f1
from evaluation.quality.metrics import (
    Selector,
    Vote,
    at_n,
    best,
    difficulty_bins,
    majority,
    pass_at,
    weighted,
    within_problem_auc,
)
from evaluation.quality.ranking import global_auc
from evaluation.quality.record import ProblemRecord
from evaluation.statistics import UNKNOWN, Array, Bootstrap, Interval
from search.aggregation import AGGREGATIONS

LAST = prm("last")
SIZES = (1, 4, 16, 64)
BINS = 5
HARD = (2, 3, 4)
"""The harder three of the bins of measured difficulty."""
ALL = "all"


@dataclass(frozen=True)
class Sheet:
    """The records, and what most numbers need of them."""

    records: Sequence[ProblemRecord]
    threshold: float
    seed: int = 0

    @cached_property
    def bootstrap(self) -> Bootstrap:
        return Bootstrap(len(self.records), self.seed)

    @cached_property
    def samples(self) -> int:
        return min(len(record.solutions) for record in self.records)

    @cached_property
    def arms(self) -> dict[str, list[list[Vote]]]:
        return votes_by_arm(self.records)

    @cached_property
    def bins(self) -> list[int]:
        return difficulty_bins([record.pass1 for record in self.records], BINS)

    @cached_property
    def hard(self) -> Array:
        return np.isin(self.bins, HARD).astype(np.float64)

    @cached_property
    def groups(self) -> dict[str, list[bool]]:
        """By level, and all."""
        levels = sorted({record.item.level for record in self.records})
        by_level = {str(level): [record.item.level == level for record in self.records] for level in levels}
        return by_level | {ALL: [True] * len(self.records)}

    @cached_property
    def by_bin(self) -> dict[str, list[bool]]:
        return {str(number + 1): [found == number for found in self.bins] for number in range(BINS)}

    def accuracies(self, arm: str, select: Selector, n: int) -> Array:
        """Of each problem: [problems]; NaN where there is no such scorer or where there are too few solutions."""
        if arm not in self.arms or n > self.samples:
            return np.full(len(self.records), math.nan)
        return np.array([at_n(select, votes, n) for votes in self.arms[arm]])

    def coverage(self, k: int) -> Array:
        """pass@k of each problem: [problems]."""
        if k > self.samples:
            return np.full(len(self.records), math.nan)
        return np.array(
            [pass_at(sum(one.right for one in record.solutions), len(record.solutions), k) for record in self.records]
        )


def summary(sheet: Sheet) -> dict[str, Any]:
    """A tree whose leaves are `Interval`s."""
    pass1, pass64 = (_by(sheet, sheet.coverage(k), sheet.groups) for k in (1, 64))
    return {
        "pass1": pass1,
        "pass64": pass64,
        "pass1_level5": pass1.get("5", UNKNOWN),
        "pass64_level5": pass64.get("5", UNKNOWN),
        "pass64_minus_pass1": sheet.bootstrap.mean(sheet.coverage(64) - sheet.coverage(1)),
        "pass1_by_bin": _by(sheet, sheet.coverage(1), sheet.by_bin),
        "majority": {str(n): _by(sheet, sheet.accuracies(LAST, majority, n), sheet.groups) for n in SIZES[1:]},
        "pass_at": {str(n): _by(sheet, sheet.coverage(n), sheet.groups) for n in SIZES[1:]},
        **selection(sheet),
        **ranking(sheet),
        **_errors(sheet),
        **chains(sheet),
    }


def _by(sheet: Sheet, values: Array, groups: dict[str, list[bool]]) -> dict[str, Interval]:
    return {name: sheet.bootstrap.share(values, where) for name, where in groups.items()}


def selection(sheet: Sheet) -> dict[str, Any]:
    """Accuracy at N of each scorer, and the paired differences, in points, that the gates are about."""

    def curve(arm: str, select: Selector) -> dict[str, Interval]:
        return {str(n): sheet.bootstrap.share(sheet.accuracies(arm, select, n)) for n in SIZES}

    def gain(arm: str, select: Selector, n: int, where: Array | None = None) -> Interval:
        ours = sheet.accuracies(LAST, weighted, n)
        return sheet.bootstrap.mean(ours - sheet.accuracies(arm, select, n), where).scaled(100.0)

    scorers = (LAST, ORM, SEQUENCE, CHECKER)
    return {
        "best_of_n_last": curve(LAST, best),
        "best_of_n": {arm: curve(arm, best) for arm in scorers},
        "weighted": {arm: curve(arm, weighted) for arm in scorers},
        "weighted_64_by_aggregation": {
            name: sheet.bootstrap.share(sheet.accuracies(prm(name), weighted, 64)) for name in AGGREGATIONS
        },
        "weighted_16_by_bin": _by(sheet, sheet.accuracies(LAST, weighted, 16), sheet.by_bin),
        "majority_16_by_bin": _by(sheet, sheet.accuracies(LAST, majority, 16), sheet.by_bin),
        "exact_checker_16": sheet.bootstrap.share(sheet.accuracies(CHECKER, best, 16)),
        "prm_minus_majority_16_hard": gain(LAST, majority, 16, sheet.hard),
        "prm_minus_majority_16": gain(LAST, majority, 16),
        "prm_minus_orm_64": gain(ORM, weighted, 64),
        "prm_minus_sequence_probability_16": gain(SEQUENCE, weighted, 16),
        "prm_minus_sequence_probability_16_best": gain(SEQUENCE, best, 16),
    }


def ranking(sheet: Sheet) -> dict[str, Interval]:
    """AUC within problems and over all solutions, and calibration."""
    aucs = {arm: _aucs(votes) for arm, votes in sheet.arms.items()}

    def within(arm: str) -> Interval:
        found = aucs.get(arm)
        return UNKNOWN if found is None else sheet.bootstrap.mean(np.nan_to_num(found), ~np.isnan(found))

    def overall(arm: str) -> Interval:
        return global_auc(sheet.arms[arm], sheet.bootstrap.counts) if arm in sheet.arms else UNKNOWN

    return {
        "prm_within_problem_auc": within(LAST),
        "orm_within_problem_auc": within(ORM),
        "sequence_within_problem_auc": within(SEQUENCE),
        "checker_within_problem_auc": within(CHECKER),
        "within_problem_auc_ratio": sheet.bootstrap.ratio(np.nan_to_num(aucs[LAST]), np.nan_to_num(aucs[CHECKER])),
        "prm_global_auc": overall(LAST),
        "orm_global_auc": overall(ORM),
        "prm_ece": reliability(sheet.arms[LAST], sheet.bootstrap).ece,
    }


def _aucs(problems: Sequence[Sequence[Vote]]) -> Array:
    """Of each problem; NaN for those without both kinds of solutions. They are the same ones for every scorer."""
    return np.array([math.nan if found is None else found for found in map(within_problem_auc, problems)])


def _errors(sheet: Sheet) -> dict[str, Interval]:
    table = np.array([counts(record, sheet.threshold) for record in sheet.records], dtype=np.float64)
    return {
        "first_error_f1": sheet.bootstrap.of(table, f1),
        "first_error_accuracy_wrong": sheet.bootstrap.ratio(table[:, 0], table[:, 1]),
        "first_error_accuracy_right": sheet.bootstrap.ratio(table[:, 2], table[:, 3]),
    }


def chains(sheet: Sheet) -> dict[str, Any]:
    """Pass@1 along the chain, and what one more revision does to a right and to a wrong attempt."""
    runs = [record.chains for record in sheet.records]
    length = min((len(chain) for some in runs for chain in some), default=0)
    steps = [[(a, b) for chain in some for a, b in pairwise(chain)] for some in runs]

    def turned(before: bool) -> Interval:
        changed = np.array([sum(a is before and b is not before for a, b in some) for some in steps], dtype=np.float64)
        return sheet.bootstrap.ratio(changed, np.array([sum(a is before for a, _ in some) for some in steps], float))

    along = [np.array([np.mean([chain[at] for chain in some]) for some in runs]) for at in range(length)]
    return {
        "reviser_chain": {str(at): sheet.bootstrap.share(values) for at, values in enumerate(along)},
        "reviser_right_to_wrong": turned(True),
        "reviser_wrong_to_right": turned(False),
        "reviser_last_minus_first": sheet.bootstrap.mean(along[-1] - along[0]) if length else UNKNOWN,
    }
