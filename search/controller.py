"""What a search should do next: a pure decision over where it stands, from fitted gains or from cautious defaults.

Law: an action is taken only while what follows from it is expected to gain at least the price of what it costs.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.calibration import Actions, ActionValue
from domain.recipe import StrategySpec
from search.planning import Limits, Place, band_of, plan, reached

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
    """Plain solutions that may be asked for, and the largest stage."""
    price: float
    target: float | None
    can_score: bool
    can_search: bool
    """Whether searches over steps are allowed."""
    rung: int = 0
    """Where on the fitted ladder of stages the search stands."""
    answered: bool = True
    """Whether there is an answer that could be returned."""


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
    return _planned(at, actions) or _without_answer(at)


def _planned(at: Situation, actions: Actions) -> Action | None:
    place, limits = _place(at), _limits(at)
    goal = None if at.target is None else max(1, band_of(actions, at.target))
    ahead = plan(actions, _price(at), limits, goal)
    if not ahead.open_at(place):
        return _beyond(at)
    band = band_of(actions, at.confidence)
    best = ahead.best(place, band if goal is None else min(band, goal - 1))[1]
    return None if best is None else _act(place, best, limits)


def _place(at: Situation) -> Place:
    return Place(at.samples, at.scored, at.rung)


def _limits(at: Situation) -> Limits:
    return Limits(at.most, at.can_score or at.scored, at.can_search)


def _price(at: Situation) -> float:
    return at.price if at.target is None else at.price / PATIENCE


def _act(place: Place, value: ActionValue, limits: Limits) -> Action:
    after = reached(value, place, limits)
    return Action(after.samples, after.scored or value.action == "search", value.strategy, after.rung)


def _without_answer(at: Situation) -> Action | None:
    """A plan that stops with nothing to return has seen too few such searches: a few more solutions there must be."""
    few = min(LEAST_VOTES, at.most)
    return Action(few, at.scored) if not at.answered and at.samples < few else None


def _beyond(at: Situation) -> Action | None:
    """Nothing was fitted for this state: one solution there must be; who asked for a certainty still gets more, unless
    the whole ladder of stages did not bring it: many plain solutions hardly ever do then."""
    if _place(at).empty:
        return Action(1, at.scored)
    if at.target is None or at.rung or at.samples >= at.most:
        return None
    return Action(min(at.most, at.samples * GROWTH), at.scored)


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
