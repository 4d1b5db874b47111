"""One budget over a batch: allocated where it gains most, against the same budget split evenly.

    python -m evaluation.allocation --traces FILE… [--calibration FILE] [--quick]

The traces are graded solutions of the test split with verifier scores; the calibration was fitted on other problems.
The even split is best-of-n weighted. `compute_ratio_at_equal_accuracy` is the compute that the allocation needs for the
even split's accuracy at n = 16; `relative_gain_at_equal_compute` is its gain in accuracy at the compute of that n.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.calibration import Calibration
from evaluation.allocated import Result, allocated, even
from evaluation.calibration_fit.given import given
from evaluation.calibration_fit.traces import GradedProblem
from evaluation.report import finish, say

SIZES = (1, 2, 4, 8, 16, 32)
REFERENCE = 16
SHARES = (3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)
"""Budgets of the allocation, a problem, in costs of one plain sample."""


def measure(problems: Sequence[GradedProblem], calibration: Calibration, seeds: int) -> dict[str, Any]:
    """Both curves, each point the mean over the seeds (orders in which the solutions come)."""
    evens, shared = [], []
    for n in (size for size in SIZES if size <= min(len(one.samples) for one in problems)):
        runs = [even(problems, calibration, n, order=order) for order in range(seeds)]
        evens.append({"n": n, **_mean(runs)})
        say(f"even split, n = {n}: {evens[-1]['accuracy']:.3f} at {evens[-1]['cost']:.1f}")
    for share in SHARES:
        runs = [allocated(problems, calibration, share * len(problems), order=order) for order in range(seeds)]
        shared.append({"budget": share, **_mean(runs), "price": sum(one.price for one in runs) / seeds})
        say(f"allocated, {share:g} a problem: {shared[-1]['accuracy']:.3f} at {shared[-1]['cost']:.1f}")
    return {"even": evens, "allocated": shared}


def summary(curves: dict[str, Any]) -> dict[str, float | None]:
    reference = min(curves["even"], key=lambda one: abs(one["n"] - REFERENCE))
    points = [(one["cost"], one["accuracy"]) for one in curves["allocated"]]
    needed = _cost_for(points, reference["accuracy"])
    at_equal = _accuracy_at(points, reference["cost"])
    return {
        "compute_ratio_at_equal_accuracy": None if needed is None else needed / reference["cost"],
        "relative_gain_at_equal_compute": at_equal / reference["accuracy"] - 1,
        "reference_n": reference["n"],
    }


def _mean(runs: Sequence[Result]) -> dict[str, float]:
    accuracies = [one.accuracy for one in runs]
    return {
        "accuracy": sum(accuracies) / len(runs),
        "lowest": min(accuracies),
        "highest": max(accuracies),
        "cost": sum(one.cost for one in runs) / len(runs),
    }


def _cost_for(points: Sequence[tuple[float, float]], accuracy: float) -> float | None:
    """The least cost, by linear interpolation along the curve; None when the curve stays below."""
    before: tuple[float, float] | None = None
    for cost, reached in points:
        if reached >= accuracy:
            if before is None or reached == before[1]:
                return cost
            return before[0] + (cost - before[0]) * (accuracy - before[1]) / (reached - before[1])
        before = (cost, reached)
    return None


def _accuracy_at(points: Sequence[tuple[float, float]], cost: float) -> float:
    """The accuracy that the curve has reached without going over this cost."""
    return max((reached for spent, reached in points if spent <= cost), default=0.0)


def table(curves: dict[str, Any]) -> str:
    lines = ["| budget | accuracy (lowest to highest seed) | mean cost in samples |", "|---|---|---|"]
    named = [(f"even, best-of-{one['n']} weighted", one) for one in curves["even"]]
    named += [(f"allocated, {one['budget']:g} a problem", one) for one in curves["allocated"]]
    for name, one in named:
        spread = f"{one['accuracy']:.3f} ({one['lowest']:.3f} to {one['highest']:.3f})"
        lines.append(f"| {name} | {spread} | {one['cost']:.1f} |")
    return "\n".join(lines)


def main() -> None:
    told = given("allocation", "One budget over a batch against even shares.")
    curves = measure(told.problems, told.calibration, told.seeds)
    result = {**summary(curves), "problems": len(told.problems), **curves}
    finish("allocation", told.command, result, table(curves), full=told.full)


if __name__ == "__main__":
    main()
