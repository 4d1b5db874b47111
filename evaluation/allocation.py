"""One budget over a batch: allocated where it gains most, against the same budget split evenly.

    python -m evaluation.allocation [--quick] [--models models] [--workers 1] [--seeds 1 2 3]

Each problem of the test split is searched once on the engines, to the end of what the adaptive search would ever do;
how far a batch takes it is read off that path, since a search's decisions do not depend on the batch. The even split is
best-of-n weighted. `compute_ratio_at_equal_accuracy` is the compute that the allocation needs for the even split's
accuracy at n = 16; `relative_gain_at_equal_compute` is its gain in accuracy at the compute of that n.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.curving.methods import BOUGHT, MAJORITY, WEIGHTED
from evaluation.curving.rows import Row
from evaluation.curving.session import session
from evaluation.curving.work import Part
from evaluation.quality.record import ProblemItem
from evaluation.report import finish, say
from search.allocation import Batch, Offer, buy, pay

SIZES = (1, 2, 4, 8, 16, 32)
REFERENCE = 16
SHARES = (2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)
"""Budgets of the allocation, a problem, in costs of one plain sample."""
DRAWS = 20
"""Bootstrap resamples of the problems."""


def parts(items: tuple[ProblemItem, ...], seeds: Sequence[int]) -> tuple[Part, ...]:
    return tuple(Part(f"batches, seed {seed}", items, seed, max(SIZES), SIZES, (BOUGHT.name,), (64,)) for seed in seeds)


@dataclass(frozen=True, slots=True)
class Searched:
    """What one seed's problems came to, in the same order everywhere; costs in costs of one plain sample."""

    paths: Sequence[Sequence[Sequence[float]]]
    """For each decision, and the end: expected gain, expected cost, spent before it, right (1 or 0)."""
    evens: Mapping[int, Sequence[tuple[float, bool]]]
    """By n: cost, and whether best-of-n weighted is right."""

    def drawn(self, chosen: Sequence[int]) -> Searched:
        """A resample of the problems."""
        return Searched(
            [self.paths[at] for at in chosen], {n: [one[at] for at in chosen] for n, one in self.evens.items()}
        )


def searched(rows: Sequence[Row], items: Sequence[ProblemItem], seed: int) -> Searched:
    """Of the problems that were measured whole."""
    found = {(row.method, row.budget, row.problem): row for row in rows if row.seed == seed}
    sampled = [row.flops for row in rows if row.seed == seed and row.method == MAJORITY and row.budget == max(SIZES)]
    unit = sum(sampled) / len(sampled) / max(SIZES)
    ids = [one.id for one in items if (BOUGHT.name, 64, one.id) in found and (WEIGHTED, max(SIZES), one.id) in found]
    paths = [_in_samples(found[BOUGHT.name, 64, one].path or [], unit) for one in ids]
    evens = {}
    for n in SIZES:
        group = [found[WEIGHTED, n, one] for one in ids]
        evens[n] = [(row.flops / unit, row.right) for row in group]
    return Searched(paths, evens)


def _in_samples(path: Sequence[Sequence[float]], unit: float) -> list[list[float]]:
    return [[gain, cost, spent / unit, right] for gain, cost, spent, right in path]


def allocated(paths: Sequence[Sequence[Sequence[float]]], budget: float) -> tuple[float, float, float]:
    """Accuracy, mean cost a problem and last price of one `budget` (in costs of one plain sample) for all problems."""
    batch, at = Batch(budget), [0] * len(paths)
    for number, path in enumerate(paths):
        batch = pay(batch, number, path[0][2])
    offers = {number: Offer(path[0][0], path[0][1]) for number, path in enumerate(paths) if len(path) > 1}
    while True:
        batch, bought = buy(batch, offers, 1)
        if not bought:
            break
        number = bought[0]
        path, step = paths[number], at[number] + 1
        batch = pay(batch, number, path[step][2] - path[step - 1][2])
        at[number] = step
        del offers[number]
        if step < len(path) - 1:
            offers[number] = Offer(path[step][0], path[step][1])
    rights = [path[step][3] for path, step in zip(paths, at, strict=True)]
    return sum(rights) / len(rights), batch.spent / len(paths), batch.price


def measure(seeds: Sequence[Searched]) -> dict[str, Any]:
    """Both curves, each point the mean over the seeds."""
    evens = []
    for n in SIZES:
        runs = [_mean_of(one.evens[n]) for one in seeds]
        evens.append({"n": n, **_mean(runs)})
    shared = []
    for share in SHARES:
        bought = [allocated(one.paths, share * len(one.paths)) for one in seeds]
        shared.append(
            {"budget": share, **_mean([one[:2] for one in bought]), "price": _average(one[2] for one in bought)}
        )
    return {"even": evens, "allocated": shared}


def _mean_of(group: Sequence[tuple[float, bool]]) -> tuple[float, float]:
    return _average(right for _, right in group), _average(cost for cost, _ in group)


def _average(numbers: Any) -> float:
    found = list(numbers)
    return sum(found) / len(found)


def _mean(runs: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Of accuracy and cost."""
    accuracies = [accuracy for accuracy, _ in runs]
    return {
        "accuracy": _average(accuracies),
        "lowest": min(accuracies),
        "highest": max(accuracies),
        "cost": _average(cost for _, cost in runs),
    }


def summary(curves: dict[str, Any]) -> dict[str, float | None]:
    reference = min(curves["even"], key=lambda one: abs(one["n"] - REFERENCE))
    points = [(one["cost"], one["accuracy"]) for one in curves["allocated"]]
    needed = _cost_for(points, reference["accuracy"])
    at_equal = _accuracy_at(points, reference["cost"])
    return {
        "compute_ratio_at_equal_accuracy": None if needed is None else needed / reference["cost"],
        "relative_gain_at_equal_compute": at_equal / reference["accuracy"] - 1 if reference["accuracy"] else None,
        "reference_n": reference["n"],
    }


def intervals(seeds: Sequence[Searched]) -> dict[str, list[float]]:
    """95 % bootstrap intervals over problems; a seed's problems are the same ones."""
    draw, size = np.random.default_rng(0), len(seeds[0].paths)
    found: dict[str, list[float]] = {}
    for _ in range(DRAWS):
        chosen = draw.integers(size, size=size).tolist()
        for key, value in summary(measure([one.drawn(chosen) for one in seeds])).items():
            if value is not None:
                found.setdefault(key, []).append(value)
    return {
        f"{key}_interval": [round(float(edge), 4) for edge in np.quantile(values, (0.025, 0.975))]
        for key, values in found.items()
        if key != "reference_n"
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


def main() -> int:
    told = session("allocation", sys.argv[1:], __doc__, parts)
    if told is None:
        return 2
    seeds = [searched(told.rows, told.items, seed) for seed in told.seeds]
    curves = measure(seeds)
    for one in (*curves["even"], *curves["allocated"]):
        say(f"{one.get('n') or one.get('budget')}: {one['accuracy']:.3f} at {one['cost']:.1f}")
    result = {**summary(curves), **intervals(seeds), **told.about, **curves}
    finish("allocation", told.command, result, table(curves), full=told.full)
    return 0


if __name__ == "__main__":
    sys.exit(main())
