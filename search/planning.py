"""What is the best that a search can still do at a price of compute: a plan over fitted actions, by backward induction.

    V(state, confidence) = max(0, max over actions of gain − price × cost + Σ P(confidence after) × V(state after))

An action that brings nothing by itself, as verifying the first solution, may be worth its price for what it tells. Law:
the same table, price and limits give the same plan; V is 0 where stopping is best. A search that has nothing yet does
not stop: there V is what its best beginning is worth, were it less than nothing.

With a goal (the caller asked for a certainty) reaching it is worth `SURE` beside what P(right) gains, and ends it: what
is cheap and may tell comes first then.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from functools import lru_cache

from domain.calibration import Actions, ActionValue


@dataclass(frozen=True, slots=True)
class Place:
    """What decides which actions are open."""

    samples: int
    """Plain solutions."""
    scored: bool
    rung: int = 0

    @property
    def empty(self) -> bool:
        return self.samples == 0 and self.rung == 0


@dataclass(frozen=True, slots=True)
class Limits:
    most: int
    """Plain solutions, and solutions of any one stage."""
    can_score: bool = True
    can_search: bool = True


SURE = 1.0
"""Worth of reaching the goal, in P(right)."""


@dataclass
class Plan:
    actions: Actions
    price: float
    limits: Limits
    goal: int | None = None
    """The lowest band of confidence that is sure enough; None: none is."""
    _best: dict[tuple[Place, int], tuple[float, ActionValue | None]] = field(default_factory=dict)

    def best(self, place: Place, band: int) -> tuple[float, ActionValue | None]:
        """V, and the action that has it; None: stop."""
        if self._reached(band):
            return 0.0, None
        key = place, band
        found = self._best.get(key)
        if found is None:
            open_ = ((self._worth(value, place, band), value) for value in self.open_at(place))
            found = max(open_, key=lambda one: (one[0], -one[1].to_samples), default=(0.0, None))
            found = self._best[key] = found if found[0] > 0 or place.empty else (0.0, None)
        return found

    def _worth(self, value: ActionValue, place: Place, band: int) -> float:
        after = reached(value, place, self.limits)
        now = value.gains[band] - self.price * value.costs[band]
        if not value.after:
            return now + self.best(after, band)[0]
        return now + sum(chance * self._after(after, to) for to, chance in enumerate(value.after[band]) if chance)

    def _after(self, place: Place, band: int) -> float:
        return SURE if self._reached(band) else self.best(place, band)[0]

    def _reached(self, band: int) -> bool:
        return self.goal is not None and band >= self.goal

    def open_at(self, place: Place) -> list[ActionValue]:
        """The values for the largest fitted number of samples that is there already, as far as they are allowed.

        None for twice as many and more: what was fitted there would be taken for true again and again.
        """
        here = [one for one in self.actions.values if one.scored == place.scored and one.rung == place.rung]
        known = max((one.samples for one in here if _covers(one.samples, place.samples)), default=None)
        return [one for one in here if one.samples == known and self._allowed(one, place)]

    def _allowed(self, value: ActionValue, place: Place) -> bool:
        if value.strategy is not None:
            return self.limits.can_search and getattr(value.strategy, "n", 1) <= self.limits.most
        if value.action == "score" and not self.limits.can_score:
            return False
        return value.to_samples == value.samples or place.samples < self.limits.most


def _covers(fitted: int, samples: int) -> bool:
    return fitted <= samples < 2 * fitted or fitted == samples


@lru_cache(maxsize=256)
def plan(actions: Actions, price: float, limits: Limits, goal: int | None = None) -> Plan:
    """Kept, since searches of one stack ask for few different ones."""
    return Plan(actions, price, limits, goal)


def reached(value: ActionValue, place: Place, limits: Limits) -> Place:
    """Where the action leads to."""
    if value.strategy is not None:
        return Place(place.samples, True, value.to_rung)
    grown = max(place.samples + (value.to_samples > value.samples), round(place.samples * _factor(value)))
    return Place(max(place.samples, min(limits.most, grown)), place.scored or value.action == "score", place.rung)


def _factor(value: ActionValue) -> float:
    return value.to_samples / value.samples if value.samples else 1.0


def band_of(actions: Actions, confidence: float) -> int:
    return min(bisect_left(actions.bands, confidence), len(actions.bands) - 1)
