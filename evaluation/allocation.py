"""One budget over a batch, as the service shares it out, against the same budget split evenly.

    python -m evaluation.allocation [--quick] [--models models] [--workers 1] [--seeds 1 2 3]

Each problem of the test split is searched on the engines as a line of a batch is, once at each of a grid of prices; a
batch of all problems is then played with one budget through the service's own rules (`evaluation.curving.batch`). The
even split is best-of-n weighted. `compute_ratio_at_equal_accuracy` is the compute that the batch spends for the even
split's accuracy at n = 16; `relative_gain_at_equal_compute` is its gain in accuracy with the compute of that n as its
budget. Intervals are over problems, with the prices as they were granted in the batch that was played.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evaluation.curving.batch import BASE, Line, Played, Recorded, Searched, play, searched_at
from evaluation.curving.methods import MAJORITY, PRICED, WEIGHTED
from evaluation.curving.rows import Row
from evaluation.curving.session import session
from evaluation.curving.work import Part
from evaluation.quality.record import ProblemItem
from evaluation.report import finish, say

SIZES = (1, 2, 4, 8, 16, 32)
REFERENCES = (4, 8, 16, 32)
REFERENCE = 16
SHARES = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0, 24.0, 32.0, 40.0)
"""Budgets of the batch, a problem, in costs of one plain sample."""
RESAMPLES = 2000
SPLIT = "even, best-of-n weighted"
SEARCHED = "even, adaptive"
BATCH = "one budget"
EQUAL = "one budget, that of best-of-n"

Numbers: TypeAlias = NDArray[np.float64]


def parts(items: tuple[ProblemItem, ...], seeds: Sequence[int]) -> tuple[Part, ...]:
    names = tuple(one.name for one in PRICED.values())
    return tuple(Part(f"batches, seed {seed}", items, seed, max(SIZES), SIZES, names, (BASE.n,)) for seed in seeds)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one seed's problems came to, in the same order everywhere."""

    recorded: Sequence[Recorded]
    evens: Mapping[int, Sequence[Line]]
    """Best-of-n weighted, by n."""
    unit: float
    """FLOPs of one plain sample."""


def measured(rows: Sequence[Row], ids: Sequence[str], seed: int) -> Measured:
    found = {(row.method, row.budget, row.problem): row for row in rows if row.seed == seed}
    unit = fmean(found[MAJORITY, max(SIZES), one].flops for one in ids) / max(SIZES)
    recorded = [{price: _searched(found[method.name, BASE.n, one]) for price, method in PRICED.items()} for one in ids]
    evens = {n: [Line(row.flops, row.right) for row in (found[WEIGHTED, n, one] for one in ids)] for n in SIZES}
    return Measured(recorded, evens, unit)


def _searched(row: Row) -> Searched:
    return Searched(row.flops, row.right)


def whole(rows: Sequence[Row], items: Sequence[ProblemItem], seeds: Sequence[int]) -> list[str]:
    """The problems that were measured whole with all seeds, in their order."""
    have = {(row.method, row.budget, row.problem, row.seed) for row in rows}
    needed = [(WEIGHTED, max(SIZES)), *((one.name, BASE.n) for one in PRICED.values())]
    return [one.id for one in items if all((*each, one.id, seed) in have for each in needed for seed in seeds)]


@dataclass(frozen=True, slots=True)
class Point:
    """One way to spend one budget, on every problem; costs in costs of one plain sample."""

    way: str
    size: float
    """n, or the budget a problem."""
    rights: Numbers
    """[seeds, problems]"""
    costs: Numbers
    """[seeds, problems]"""
    more: Mapping[str, float]
    """Of batches: how it went."""


def points(seeds: Sequence[Measured]) -> list[Point]:
    """Each way at each budget."""
    found = [_point(SPLIT, n, seeds, [one.evens[n] for one in seeds]) for n in SIZES]
    found += [_point(SEARCHED, n, seeds, [even_searches(one, n) for one in seeds]) for n in REFERENCES]
    found += [_batch(BATCH, share, seeds, [share * one.unit * len(one.recorded) for one in seeds]) for share in SHARES]
    found += [_batch(EQUAL, n, seeds, [sum(line.cost for line in one.evens[n]) for one in seeds]) for n in REFERENCES]
    return found


def even_searches(seed: Measured, n: int) -> list[Line]:
    """The adaptive search at its own price, each with an even share of what best-of-n costs as its ceiling."""
    share = fmean(line.cost for line in seed.evens[n])
    return [searched_at(one, BASE.price, share) for one in seed.recorded]


def _batch(way: str, size: float, seeds: Sequence[Measured], budgets: Sequence[float]) -> Point:
    played = [play(one.recorded, budget) for one, budget in zip(seeds, budgets, strict=True)]
    return _point(way, size, seeds, [one.lines for one in played], _told(played))


def _told(played: Sequence[Played]) -> dict[str, float]:
    lines = [line for one in played for line in one.lines]
    prices = [line.price for line in lines if line.price is not None]
    low, middle, high = np.quantile(prices, (0.1, 0.5, 0.9)).tolist() if prices else (0.0, 0.0, 0.0)
    return {
        "spent_share": round(fmean(one.spent for one in played), 4),
        "price_low": low, "price_median": middle, "price_high": high,
        "cut_share": fmean(line.cut for line in lines), "unstarted_share": 1 - len(prices) / len(lines),
    }  # fmt: skip


def _point(
    way: str,
    size: float,
    seeds: Sequence[Measured],
    lines: Sequence[Sequence[Line]],
    more: Mapping[str, float] | None = None,
) -> Point:
    rights = np.array([[line.right for line in group] for group in lines], dtype=float)
    costs = np.array([[line.cost / one.unit for line in group] for one, group in zip(seeds, lines, strict=True)])
    return Point(way, size, rights, costs, more or {})


@dataclass(frozen=True, slots=True)
class Curves:
    """Accuracy and mean cost of each point, of the problems as they are or of a resample."""

    accuracy: Mapping[tuple[str, float], float]
    cost: Mapping[tuple[str, float], float]

    def ratio(self, n: int) -> float | None:
        """Compute that the batch spends for the accuracy of best-of-n, as a share of what that costs."""
        needed = cost_for(self._batches(), self.accuracy[SPLIT, n])
        return None if needed is None else needed / self.cost[SPLIT, n]

    def gain(self, n: int) -> float | None:
        """Of the batch over best-of-n, with what that costs as its budget."""
        reference = self.accuracy[SPLIT, n]
        return self.accuracy[EQUAL, n] / reference - 1 if reference else None

    def _batches(self) -> list[tuple[float, float]]:
        return sorted((self.cost[key], self.accuracy[key]) for key in self.cost if key[0] in (BATCH, EQUAL))


def curves(found: Sequence[Point], weights: Numbers | None = None) -> Curves:
    """`weights` [problems] add up to 1; None: all alike."""
    return Curves(
        {(one.way, one.size): float(np.average(one.rights.mean(axis=0), weights=weights)) for one in found},
        {(one.way, one.size): float(np.average(one.costs.mean(axis=0), weights=weights)) for one in found},
    )


def resampled(found: Sequence[Point], times: int) -> Iterator[Curves]:
    """Bootstrap over problems; a seed's problems are the same ones."""
    keys, size = [(one.way, one.size) for one in found], found[0].rights.shape[1]
    weights = np.random.default_rng(0).multinomial(size, np.full(size, 1 / size), times) / size
    accuracies = weights @ np.array([one.rights.mean(axis=0) for one in found]).T
    costs = weights @ np.array([one.costs.mean(axis=0) for one in found]).T
    for accuracy, cost in zip(accuracies.tolist(), costs.tolist(), strict=True):
        yield Curves(dict(zip(keys, accuracy, strict=True)), dict(zip(keys, cost, strict=True)))


def references(found: Sequence[Point]) -> list[dict[str, Any]]:
    """Both numbers against each best-of-n, with 95 % intervals."""
    whole, drawn = curves(found), list(resampled(found, RESAMPLES))
    return [
        {
            "n": n,
            "compute_ratio_at_equal_accuracy": whole.ratio(n),
            "compute_ratio_at_equal_accuracy_interval": _interval([one.ratio(n) for one in drawn]),
            "relative_gain_at_equal_compute": whole.gain(n),
            "relative_gain_at_equal_compute_interval": _interval([one.gain(n) for one in drawn]),
        }
        for n in REFERENCES
    ]


def _interval(values: Sequence[float | None]) -> list[float | None]:
    """A resample in which the accuracy is never reached counts as one that takes endless compute."""
    known = np.array([np.inf if one is None else one for one in values])
    edges = np.quantile(known, (0.025, 0.975), method="nearest").tolist()
    return [round(edge, 4) if np.isfinite(edge) else None for edge in edges]


def cost_for(curve: Sequence[tuple[float, float]], accuracy: float) -> float | None:
    """The least cost, by linear interpolation along the curve; None when the curve stays below."""
    before: tuple[float, float] | None = None
    for cost, reached in curve:
        if reached >= accuracy:
            if before is None or reached == before[1]:
                return cost
            return before[0] + (cost - before[0]) * (accuracy - before[1]) / (reached - before[1])
        before = (cost, reached)
    return None


def rows_of(found: Sequence[Point]) -> list[dict[str, Any]]:
    """For the JSON; accuracy with its lowest and highest seed."""
    result = []
    for one in found:
        seeds = one.rights.mean(axis=1)
        numbers = {"accuracy": seeds.mean(), "lowest": seeds.min(), "highest": seeds.max(), "cost": one.costs.mean()}
        shown = {name: round(float(number), 5) for name, number in (numbers | dict(one.more)).items()}
        result.append({"way": one.way, "size": one.size, **shown})
    return result


def summary(found: Sequence[Point]) -> dict[str, Any]:
    against = references(found)
    headline = next(one for one in against if one["n"] == REFERENCE)
    numbers = {name: value for name, value in headline.items() if name != "n"}
    return {**numbers, "reference_n": REFERENCE, "references": against, "points": rows_of(found)}


def table(result: Mapping[str, Any]) -> str:
    lines = [
        "| best-of-n weighted | compute for its accuracy (95 %) | accuracy gained with its compute (95 %) |",
        "|---|---|---|",
    ]
    for one in result["references"]:
        ratio, gain = "compute_ratio_at_equal_accuracy", "relative_gain_at_equal_compute"
        lines.append(
            f"| n = {one['n']} | {_number(one[ratio], '.2f')} ({_range(one[ratio + '_interval'], '.2f')})"
            f" | {_number(one[gain], '+.1%')} ({_range(one[gain + '_interval'], '+.1%')}) |"
        )
    lines += [
        "",
        "| budget | accuracy (lowest to highest seed) | mean cost in samples | of the budget | median price | cut |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_row, result["points"])])


def _row(one: Mapping[str, Any]) -> str:
    size = f"{one['size']:g} a problem" if one["way"] == BATCH else f"n = {one['size']:g}"
    start = (
        f"| {one['way']}, {size} | {one['accuracy']:.3f} ({one['lowest']:.3f} to {one['highest']:.3f})"
        f" | {one['cost']:.1f} |"
    )
    if "spent_share" not in one:
        return f"{start} | | |"
    return f"{start} {one['spent_share']:.0%} | {one['price_median']:.4f} | {one['cut_share']:.1%} |"


def _number(value: float | None, shape: str) -> str:
    return "not reached" if value is None else format(value, shape)


def _range(interval: Sequence[float | None], shape: str) -> str:
    return " to ".join(_number(edge, shape) for edge in interval)


def main() -> int:
    told = session("allocation", sys.argv[1:], __doc__, parts)
    if told is None:
        return 2
    ids = whole(told.rows, told.items, told.seeds)
    if not ids:
        say("error: no problem was measured whole: give it more time")
        return 2
    result = summary(points([measured(told.rows, ids, seed) for seed in told.seeds])) | told.about
    result["problems"] = len(ids)
    finish("allocation", told.command, result, table(result), full=told.full)
    return 0


if __name__ == "__main__":
    sys.exit(main())
