"""The gates that shipped models must pass. A gate whose numbers could not be measured does not hold."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from evaluation.statistics import Interval

AUC_SHARE = 0.95
HARD_POINTS = 10.0
HEADROOM = 0.3
PASS1 = (0.2, 0.6)
PASS64 = 0.85


def gates(found: Mapping[str, Any]) -> dict[str, bool]:
    """From the tree of `evaluation.quality.summary`; point values decide, and the intervals stand in the tables."""
    curve = [interval.value for interval in found["best_of_n_last"].values()]
    pass1, pass64 = found["pass1"]["all"].value, found["pass64"]["all"].value
    return {
        "prm_within_problem_auc_at_least_0.95_of_checker": _value(found, "prm_within_problem_auc")
        >= AUC_SHARE * _value(found, "checker_within_problem_auc"),
        "best_of_n_last_rises": len(curve) > 1 and curve[-1] > curve[0] and all(a <= b for a, b in pairwise(curve)),
        "prm_minus_majority_16_hard_at_least_10": _value(found, "prm_minus_majority_16_hard") >= HARD_POINTS,
        "prm_beats_orm_64": _value(found, "prm_minus_orm_64") > 0.0,
        "pass64_minus_pass1_at_least_0.3": pass64 - pass1 >= HEADROOM,
        "pass1_from_0.2_to_0.6": PASS1[0] <= pass1 <= PASS1[1],
        "pass64_at_least_0.85": pass64 >= PASS64,
    }


def _value(found: Mapping[str, Any], key: str) -> float:
    """NaN, with which no comparison holds, where nothing was measured."""
    interval = found[key]
    assert isinstance(interval, Interval)
    return interval.value
