"""Reading a curve of accuracy against cost between its points: linear in the logarithm of the cost.

Law: nothing is read beyond what was measured. A curve that stays below an accuracy has no cost for it; below its
cheapest point a curve has no accuracy; above its dearest one it keeps that point's (the method had stopped spending).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]
"""Cost, accuracy."""
EQUAL = 1e-9
"""Means of the same numbers in another order differ by less."""


def cost_for(points: Sequence[Point], accuracy: float) -> float | None:
    """The least cost at which the curve reaches this accuracy; None when it never does."""
    before: Point | None = None
    for cost, reached in sorted(points):
        if reached >= accuracy - EQUAL:
            if before is None or reached - before[1] < EQUAL:
                return cost
            part = min((accuracy - before[1]) / (reached - before[1]), 1.0)
            return math.exp(math.log(before[0]) + part * (math.log(cost) - math.log(before[0])))
        # A point that is dearer and worse than an earlier one does not make the next step look shorter.
        if before is None or reached >= before[1]:
            before = (cost, reached)
    return None


def weights_at(costs: Sequence[float], cost: float) -> dict[int, float] | None:
    """Which points speak for this cost, and how much: by their index in `costs`. None below the cheapest."""
    order = sorted(range(len(costs)), key=lambda at: costs[at])
    cost *= 1 + EQUAL
    if not order or cost < costs[order[0]]:
        return None
    below = max(place for place, at in enumerate(order) if costs[at] <= cost)
    if below == len(order) - 1:
        return {order[below]: 1.0}
    low, high = order[below], order[below + 1]
    part = (math.log(cost) - math.log(costs[low])) / (math.log(costs[high]) - math.log(costs[low]))
    return {low: 1.0 - part, high: part}


def plateau(sizes: Sequence[int], no_worse: Sequence[bool]) -> int:
    """The smallest size that is no worse than the reference, from which on all measured ones are no worse, too."""
    found = sizes[-1]
    for size, fine in sorted(zip(sizes, no_worse, strict=True), reverse=True):
        if not fine:
            break
        found = size
    return found
