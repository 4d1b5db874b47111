"""What a search should do next: a pure decision over where it stands, from fitted gains or from cautious defaults.

Law: an action is taken only while P(right) is expected to grow by at least the price of what it costs.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from domain.calibration import Actions, ActionValue
from domain.recipe import StrategySpec

PATIENCE = 10.0
"""A caller who asks for a certainty pays this many times more for it than one who asks for an answer."""
GROWTH = 2
"""Rounds double: waiting for the end of a round wastes at most half of the samples."""
LEAST_VOTES = 4
"""Solutions without which agreement says nothing."""
SURE_WITHOUT_FIT = 0.8
"""Agreement at which a search without a fit stops by itself: four of four."""


@dataclass(frozen=True, slots=True)
class Situation:
    samples: int
    """Plain solutions that were asked for."""
    scored: bool
    confidence: float
    most: int
    """Solutions that may be asked for, those of stages included."""
    price: float
    target: float | None
    can_score: bool
    can_search: bool
    """Whether searches over steps are allowed."""
    rung: int = 0
    """Where on the fitted ladder of stages the search stands."""
    solutions: int = 0
    """Plain ones, and those that stages were given."""


@dataclass(frozen=True, slots=True)
class Action:
    """`samples` and `scored` as they are to be after it; or a search by `strategy`."""

    samples: int
    scored: bool
    strategy: StrategySpec | None = None
    rung: int = 0
    """Where on the ladder it leads to."""


def next_action(at: Situation, actions: Actions | None) -> Action | None:
    """None: stop."""
    if actions is None or not actions.values:
        return _cautious(at)
    best = best_value(at, actions)
    if best is None:
        return _beyond(at)
    worth = _worth(best, at, actions)
    return _act(at, best) if worth > 0 and worth >= _price(at) else None


def best_value(at: Situation, actions: Actions) -> ActionValue | None:
    """What gains most for its cost, whatever the price; the smaller step among equals."""
    return max(_open(at, actions), key=lambda value: (_worth(value, at, actions), -value.to_samples), default=None)


def gain_and_cost(value: ActionValue, at: Situation, actions: Actions) -> tuple[float, float]:
    """Expected gain in P(right), and expected cost in costs of one plain sample."""
    band = min(bisect_left(actions.bands, at.confidence), len(actions.bands) - 1)
    return value.gains[band], value.costs[band]


def _price(at: Situation) -> float:
    return at.price if at.target is None else at.price / PATIENCE


def _open(at: Situation, actions: Actions) -> list[ActionValue]:
    """The values for the largest fitted number of samples that is there already, as far as they are allowed."""
    here = [value for value in actions.values if value.scored == at.scored and value.rung == at.rung]
    known = max((value.samples for value in here if value.samples <= at.samples), default=None)
    return [value for value in here if value.samples == known and _allowed(value, at)]


def _allowed(value: ActionValue, at: Situation) -> bool:
    if value.strategy is not None:
        return at.can_search and at.solutions + getattr(value.strategy, "n", 1) <= at.most
    if value.action == "score" and not at.can_score:
        return False
    return value.to_samples == value.samples or at.solutions < at.most


def _worth(value: ActionValue, at: Situation, actions: Actions) -> float:
    """Expected gain in P(right) per cost of one plain sample."""
    gain, cost = gain_and_cost(value, at, actions)
    return gain / cost if cost > 0 else 0.0


def _act(at: Situation, value: ActionValue) -> Action:
    factor = value.to_samples / value.samples
    room = at.samples + max(0, at.most - at.solutions)
    samples = min(room, max(at.samples + (factor > 1), round(at.samples * factor)))
    return Action(samples, at.scored or value.action in ("score", "search"), value.strategy, value.to_rung)


def _beyond(at: Situation) -> Action | None:
    """Nothing was fitted for this state; a caller who asked for a certainty still gets more samples."""
    if at.target is None or at.solutions >= at.most:
        return None
    return Action(at.samples + min(at.samples * (GROWTH - 1), at.most - at.solutions), at.scored)


def _cautious(at: Situation) -> Action | None:
    """Without a fit: verify what disagrees, then grow while it still disagrees."""
    if at.confidence >= (SURE_WITHOUT_FIT if at.target is None else at.target):
        return None
    if at.samples < min(LEAST_VOTES, at.most):
        return Action(min(LEAST_VOTES, at.most), at.scored)
    if not at.scored and at.can_score:
        return Action(at.samples, True)
    if at.samples >= at.most:
        return None
    return Action(min(at.most, at.samples * GROWTH), at.scored)
