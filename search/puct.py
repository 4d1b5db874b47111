"""A tree of steps with its statistics, and the rule that leads down it (PUCT, as in AlphaZero, 1712.01815).

    PUCT(child) = value + explore × prior × √(visits of the parent) / (1 + visits of the child)

The value is the mean of the verifier's scores: of the beginning itself, and of all whole solutions that go through it.
The prior is how often the policy itself went this way. Simulations in flight count as visits that lost, so that the
next ones go elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

TOP = 0
"""The index of the place where no step is taken yet."""


@dataclass(frozen=True, slots=True)
class Place:
    """One distinct step after the steps above it."""

    step: str = ""
    above: int = TOP
    children: tuple[int, ...] = ()
    solutions: tuple[int, ...] = ()
    """Nodes of the solutions that end here, all with the same text; the first one is scored for all."""
    node: int = 0
    """The solution that came here first."""
    count: int = 0
    """Times that the policy took this step of itself."""
    asked: int = 0
    """Samples of what comes next: asked for here, or on the way of a sample from above."""
    visits: int = 0
    """Simulations that have come back through it."""
    open: int = 0
    """Simulations in flight through it."""
    told: int = 0
    """Values that were told to it; a failed score is none."""
    total: float = 0.0

    def value(self, fallback: float) -> float:
        return self.total / (self.told + self.open) if self.told else fallback

    def after(self, value: float | None) -> Place:
        """Once more visited, with this value."""
        told, total = (self.told, self.total) if value is None else (self.told + 1, self.total + value)
        return replace(self, visits=self.visits + 1, told=told, total=total)


EMPTY_TREE = (Place(),)


def wants_sample(place: Place, width: int, widening: float) -> bool:
    """Progressive widening: more samples the more often it is visited."""
    return place.asked < math.ceil(width * math.pow(1 + place.visits, widening))


def best_child(places: Sequence[Place], at: int, candidates: Sequence[int], explore: float) -> int:
    """The candidate of the highest PUCT, the earliest among equals. One without a value takes its parent's."""
    parent = places[at]
    fallback = parent.value(0.0)
    scale = explore * math.sqrt(max(parent.visits + parent.open, 1)) / sum(places[one].count for one in parent.children)

    def puct(child: int) -> float:
        one = places[child]
        return one.value(fallback) + scale * one.count / (1 + one.visits + one.open)

    return max(candidates, key=puct)


def set_out(places: list[Place], start: int) -> None:
    """A simulation has been asked for that samples what comes after `start`."""
    places[start] = replace(places[start], asked=places[start].asked + 1)
    for at in way_up(places, start):
        places[at] = replace(places[at], open=places[at].open + 1)


def give_up(places: list[Place], start: int) -> None:
    """A simulation from `start` is no longer in flight."""
    for at in way_up(places, start):
        places[at] = replace(places[at], open=places[at].open - 1)


def inserted(places: list[Place], start: int, steps: Sequence[str], node: int) -> int:
    """Take the steps that the policy took after `start`, which are at least one; where the solution ends."""
    at = start
    for number, step in enumerate(steps, start=1):
        at = _stepped(places, at, step, node, ends=number == len(steps))
        if number < len(steps):
            places[at] = replace(places[at], asked=places[at].asked + 1)
    places[at] = replace(places[at], solutions=(*places[at].solutions, node))
    return at


def _stepped(places: list[Place], above: int, step: str, node: int, *, ends: bool) -> int:
    """The same step is another place when the solution ends with it: nothing may be asked beyond an end."""
    for child in places[above].children:
        if places[child].step == step and bool(places[child].solutions) == ends:
            places[child] = replace(places[child], count=places[child].count + 1)
            return child
    places.append(Place(step, above, node=node, count=1))
    places[above] = replace(places[above], children=(*places[above].children, len(places) - 1))
    return len(places) - 1


def backed_up(places: list[Place], leaf: int, value: float | None, step_scores: Sequence[float]) -> None:
    """Tell a solution's value to all its places. One that is new is told the score of its own beginning first."""
    way = way_up(places, leaf)
    for depth, at in enumerate(reversed(way)):
        if depth and places[at].visits == 0 and len(step_scores) == len(way) - 1:
            places[at] = replace(places[at], told=1, total=step_scores[depth - 1])
        places[at] = places[at].after(value)


def way_up(places: Sequence[Place], at: int) -> list[int]:
    """From this place to the top, both included."""
    way = [at]
    while at != TOP:
        at = places[at].above
        way.append(at)
    return way


def steps_to(places: Sequence[Place], at: int) -> list[str]:
    return [places[one].step for one in reversed(way_up(places, at)[:-1])]
