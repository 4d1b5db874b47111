"""What a method saves at equal accuracy, and what it loses at equal cost.

Law: savings are against the whole curve of best-of-n weighted, so that a saving against an inflated n does not count;
a loss is read at the cost of each n on the very problems that it is about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.curving.curve import EQUAL, cost_for, plateau, weights_at
from evaluation.curving.methods import WEIGHTED
from evaluation.curving.rows import VERIFIER
from evaluation.curving.table import Cell, Key, Table, bootstrap, by_problem, common, difference, total
from evaluation.statistics import Array, Interval, around

RESAMPLES = 500
POINTS = 100.0


@dataclass(frozen=True, slots=True)
class Saving:
    """FLOPs of a method over those of best-of-n weighted; None: it does not reach that accuracy."""

    ratio: float | None
    """At the accuracy of the reference n, against its cost."""
    interval: Interval | None
    """Over resampled problems, of those resamples in which the accuracy is reached …"""
    reached: float
    """… which is this share of them."""
    plateau_n: int
    """The smallest n whose accuracy is that of the reference within noise (paired 95 % interval)."""
    ratio_vs_plateau: float | None
    """At the accuracy of the plateau's n, against its cost."""
    ratio_within_noise: float | None
    """The cheapest of the method's points that is not worse than the reference within noise, against the plateau's n:
    the same leniency on both sides."""

    def as_json(self, prefix: str) -> dict[str, float | int | list[float] | None]:
        return {
            f"{prefix}_flops_ratio": self.ratio,
            f"{prefix}_flops_ratio_interval": None
            if self.interval is None
            else [self.interval.low, self.interval.high],
            f"{prefix}_flops_ratio_reached_share": self.reached,
            f"{prefix}_flops_ratio_vs_plateau": self.ratio_vs_plateau,
            f"{prefix}_flops_ratio_within_noise": self.ratio_within_noise,
        }


def saving(table: Table, methods: Sequence[str], reference_n: int, arm: str = VERIFIER) -> Saving | None:
    """Of all points of these methods together; None where one of both sides was not measured."""
    weighted = table.curve(WEIGHTED, arm)
    reference = weighted.get(reference_n)
    points = [cell for name in methods for cell in table.curve(name, arm).values()]
    if reference is None or not points:
        return None
    keys = shared(reference, points)
    points = [cell for cell in points if keys and cell.keys() >= set(keys)]
    if not points:
        return None
    costs = np.stack([by_problem(cell, keys, "flops") for cell in points], axis=-1)  # [problems, points]
    rights = np.stack([by_problem(cell, keys, "right") for cell in points], axis=-1)
    target = np.stack([by_problem(reference, keys, name) for name in ("flops", "right")], axis=-1)
    ratio = _ratio(costs.mean(0), rights.mean(0), *target.mean(0))
    interval, reached = _resampled(costs, rights, target)
    flat = plateau_of(weighted, reference_n)
    level = {key: weighted[flat][key] for key in keys if key in weighted[flat]}
    even = total(level, "flops") if level else None
    fine = [at for at, cell in enumerate(points) if no_worse(cell, reference)]
    cheapest = min((float(costs.mean(0)[at]) for at in fine), default=None)
    return Saving(
        ratio=ratio,
        interval=interval,
        reached=reached,
        plateau_n=flat,
        ratio_vs_plateau=None if even is None else _over(cost_for(_pairs(costs, rights), total(level, "right")), even),
        ratio_within_noise=None if even is None else _over(cheapest, even),
    )


def plateau_of(curve: Mapping[int, Cell], reference_n: int) -> int:
    """Of the sizes up to the reference."""
    sizes = [n for n in curve if n <= reference_n]
    return plateau(sizes, [no_worse(curve[n], curve[reference_n]) for n in sizes])


def no_worse(cell: Cell, reference: Cell) -> bool:
    """Within noise: the paired interval of what it lacks reaches 0."""
    return cell is reference or difference(cell, reference).high >= -EQUAL


def shared(reference: Cell, points: Sequence[Cell]) -> list[Key]:
    """What the reference and the best measured of the points have in common: others are left out, not patched."""
    best = max(points, key=lambda cell: len(common([cell, reference])))
    return common([best, reference])


def _pairs(costs: Array, rights: Array) -> list[tuple[float, float]]:
    return list(zip(costs.mean(0).tolist(), rights.mean(0).tolist(), strict=True))


def _over(cost: float | None, other: float) -> float | None:
    return None if cost is None else cost / other


def _ratio(costs: Array, rights: Array, cost: float, right: float) -> float | None:
    return _over(cost_for(list(zip(costs.tolist(), rights.tolist(), strict=True)), float(right)), float(cost))


def _resampled(costs: Array, rights: Array, target: Array) -> tuple[Interval | None, float]:
    counts = bootstrap(len(costs)).counts[:RESAMPLES] / len(costs)
    draws = [
        _ratio(*one)
        for one in zip(counts @ costs, counts @ rights, *(counts @ target).T, strict=True)  # one resample each
    ]
    known = [one for one in draws if one is not None]
    value = _ratio(costs.mean(0), rights.mean(0), *target.mean(0))
    if value is None or not known:
        return None, len(known) / len(draws)
    return around(value, np.array(known)), len(known) / len(draws)


@dataclass(frozen=True, slots=True)
class Harm:
    """What a method loses against best-of-n weighted at equal cost, in points (negative: it gains)."""

    method: str
    group: str
    n: int
    """Of best-of-n."""
    points: Interval


def harms(table: Table, method: str, sizes: Sequence[int], groups: Sequence[str], arm: str = VERIFIER) -> list[Harm]:
    """At the cost of each size, on each group of problems; where the method's curve begins above that cost, nothing."""
    weighted, curve = table.curve(WEIGHTED, arm), table.curve(method, arm)
    found = []
    for n in (size for size in sizes if size in weighted):
        for group in groups:
            points = loss(table.within(weighted[n], group), [table.within(cell, group) for cell in curve.values()])
            if points is not None:
                found.append(Harm(method, group, n, points))
    return found


def loss(reference: Cell, curve: Sequence[Cell]) -> Interval | None:
    """In points, at the reference's cost; None where nothing can be read there."""
    cells = [cell for cell in curve if common([cell, reference])]
    if not cells:
        return None
    keys = shared(reference, cells)
    cells = [cell for cell in cells if cell.keys() >= set(keys)]
    weights = weights_at([total(cell, "flops", keys) for cell in cells], total(reference, "flops", keys))
    if weights is None:
        return None
    values = by_problem(reference, keys, "right")
    for at, weight in weights.items():
        values = values - weight * by_problem(cells[at], keys, "right")
    found = bootstrap(len(values)).mean(values)
    return Interval(*(POINTS * one for one in (found.value, found.low, found.high)))
