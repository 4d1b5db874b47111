"""The statistics of a Monte-Carlo search tree and the rule that leads down it (PUCT, as in AlphaZero, 1712.01815).

    PUCT(child) = value + explore × prior × √(visits of the parent) / (1 + visits of the child)

The value is the mean of the verifier's scores backed up through the child, the prior how often the policy sampled it
among its siblings. Simulations in flight count as visits without a value: so the next ones go elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.moves import ROOT
from search.tree import Node


@dataclass(frozen=True, slots=True)
class Place:
    """What is known at one node. Its children are its distinct steps."""

    asked: int = 0
    """Samples asked for below it."""
    visits: int = 0
    """Simulations that have come back through it."""
    open: int = 0
    """Simulations in flight through it."""
    told: int = 0
    """Of its visits, those with a value: a failed score is none."""
    total: float = 0.0
    children: tuple[int, ...] = ()
    twins: tuple[int, ...] = ()
    """Later samples of the same step after the same parent."""

    def value(self, fallback: float) -> float:
        """The mean value, with each simulation in flight as a loss."""
        return self.total / (self.told + self.open) if self.told else fallback


def wants_sample(place: Place, width: int, widening: float) -> bool:
    """Progressive widening: more samples the more often it is visited."""
    return place.asked < math.ceil(width * math.pow(1 + place.visits, widening))


def best_child(places: Sequence[Place], at: int, candidates: Sequence[int], explore: float) -> int:
    """The candidate of the highest PUCT, the earliest among equals. One without a value takes its parent's."""
    parent = places[at]
    sampled = sum(1 + len(places[child].twins) for child in parent.children)
    fallback = parent.value(0.0)
    scale = explore * math.sqrt(max(parent.visits + parent.open, 1)) / sampled

    def puct(child: int) -> float:
        one = places[child]
        return one.value(fallback) + scale * (1 + len(one.twins)) / (1 + one.visits + one.open)

    return max(candidates, key=puct)


def set_out(places: list[Place], nodes: Sequence[Node], at: int) -> None:
    """A simulation has been asked for that samples below `at`."""
    places[at] = replace(places[at], asked=places[at].asked + 1)
    for passed in way_up(nodes, at):
        places[passed] = replace(places[passed], open=places[passed].open + 1)


def come_back(places: list[Place], nodes: Sequence[Node], at: int, value: float | None) -> None:
    """A simulation that sampled below `at` is over; None when it brought no value."""
    for passed in way_up(nodes, at):
        places[passed] = replace(visited(places[passed], value), open=places[passed].open - 1)


def visited(place: Place, value: float | None) -> Place:
    told, total = (place.told, place.total) if value is None else (place.told + 1, place.total + value)
    return replace(place, visits=place.visits + 1, told=told, total=total)


def way_up(nodes: Sequence[Node], at: int) -> list[int]:
    """From this node to the root, both included."""
    way = [at]
    while at != ROOT:
        at = nodes[at - 1].parent
        way.append(at)
    return way
