"""Ours against each peer at equal FLOPs, with paired intervals over problems.

Law: a peer's point is taken as it is, and ours is what our method comes to at exactly the peer's mean cost when it runs
with its next smaller N on a share of the problems and with its next larger one on the others, in expectation: linear
interpolation between the two of our points around it. Beyond our last point it is that point (which costs less), before
our first one that point (which costs more, and the row says so). Both are means over the same problems and seeds, and
the interval of their difference is read off the same resamples.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.peering.methods import DEFAULT, ROWS, Row
from evaluation.peering.runs import Run, by_point
from evaluation.statistics import Array, Bootstrap, Interval


@dataclass(frozen=True, slots=True)
class Point:
    """One method at one N: means over problems and seeds."""

    method: str
    n: int
    rights: Array
    """Share of the seeds that were right, by problem (in the same order in all points)."""
    flops: float
    generated_tokens: float
    verified_tokens: float
    calls: float
    verifier_calls: float
    after_end: float
    failed: float

    @property
    def accuracy(self) -> float:
        return float(self.rights.mean())


@dataclass(frozen=True, slots=True)
class Compared:
    """One row of the table."""

    row: Row
    peer: Point
    ours_accuracy: Interval
    peer_accuracy: Interval
    difference: Interval
    """Ours minus the peer's, paired."""
    default_difference: Interval
    """Our default strategy's minus the peer's."""
    ours_flops: float
    """Of the point of our curve that was compared; at most the peer's, unless `dearer`."""
    ours_calls: float
    ours_after_end: float
    dearer: bool
    """Even our cheapest point costs more than the peer."""

    @property
    def first(self) -> bool:
        return self.difference.value >= 0

    @property
    def first_or_within(self) -> bool:
        return self.difference.high >= 0


def points_of(runs: Sequence[Run]) -> dict[tuple[str, int], Point]:
    problems = sorted({run.problem for run in runs})
    return {key: _point(key, some, problems) for key, some in by_point(runs).items()}


def _point(key: tuple[str, int], runs: Sequence[Run], problems: Sequence[str]) -> Point:
    rights: dict[str, list[bool]] = {problem: [] for problem in problems}
    for run in runs:
        rights[run.problem].append(run.right)
    table = np.array([[getattr(run, name) for name in _MEANS] for run in runs], dtype=np.float64).mean(axis=0)
    shares = np.array([sum(some) / len(some) for some in rights.values()], dtype=np.float64)
    return Point(*key, shares, *map(float, table))


_MEANS = ("flops", "generated_tokens", "verified_tokens", "calls", "verifier_calls", "after_end", "failed")


@dataclass(frozen=True, slots=True)
class Mix:
    """A place on a method's curve: a share of the way from one point to another one."""

    low: Point
    high: Point
    share: float

    @property
    def rights(self) -> Array:
        return (1 - self.share) * self.low.rights + self.share * self.high.rights

    def mean(self, name: str) -> float:
        return float((1 - self.share) * getattr(self.low, name) + self.share * getattr(self.high, name))


def at_cost(curve: Sequence[Point], flops: float) -> Mix:
    """The place of a curve at this cost."""
    ordered = sorted(curve, key=lambda one: one.flops)
    for low, high in itertools.pairwise(ordered):
        if low.flops <= flops < high.flops:
            return Mix(low, high, (flops - low.flops) / (high.flops - low.flops))
    edge = ordered[0] if flops < ordered[0].flops else ordered[-1]
    return Mix(edge, edge, 0.0)


def compared(points: Mapping[tuple[str, int], Point]) -> list[Compared]:
    """A row for each peer at each N that was run."""
    bootstrap = Bootstrap(len(next(iter(points.values())).rights))
    return [
        _compared(row, points[key], _curve(points, row.ours), _curve(points, DEFAULT), bootstrap)
        for row in ROWS
        for key in sorted(points)
        if key[0] == row.peer
    ]


def _curve(points: Mapping[tuple[str, int], Point], method: str) -> list[Point]:
    return [point for (name, _), point in points.items() if name == method]


def _compared(
    row: Row, peer: Point, curve: Sequence[Point], default: Sequence[Point], bootstrap: Bootstrap
) -> Compared:
    ours = at_cost(curve, peer.flops)
    return Compared(
        row=row,
        peer=peer,
        ours_accuracy=bootstrap.mean(ours.rights),
        peer_accuracy=bootstrap.mean(peer.rights),
        difference=bootstrap.mean(ours.rights - peer.rights),
        default_difference=bootstrap.mean(at_cost(default, peer.flops).rights - peer.rights),
        ours_flops=ours.mean("flops"),
        ours_calls=ours.mean("calls"),
        ours_after_end=ours.mean("after_end"),
        dearer=min(point.flops for point in curve) > peer.flops,
    )
