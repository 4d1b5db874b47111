"""Fits what each action of the adaptive search brings: the mean change of P(right) and the mean cost, by confidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from domain.calibration import Actions, ActionValue, ConfidenceModel
from domain.recipe import StrategySpec
from evaluation.calibration_fit.check import confidence_of
from evaluation.calibration_fit.election import chooser_of
from evaluation.calibration_fit.runs import Run
from evaluation.calibration_fit.traces import GradedProblem
from evaluation.calibration_fit.trajectories import Counting, State, shuffled

BANDS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 1.0)
LADDER = (1, 2, 4, 8, 16, 32, 64, 128, 256)
REACH = (2, 4)
"""Factors by which one action may grow the samples."""
DOUBT = 6
"""Problems' worth of "it brings nothing" that every cell starts with: thin data must not cost much."""


@dataclass(frozen=True, slots=True)
class _Seen:
    problem: int
    band: int
    gain: float
    cost: float


_Key = tuple[str, int, bool, int, StrategySpec | None]


def fit_actions(
    problems: Sequence[GradedProblem],
    voting: ConfidenceModel,
    likeliest: ConfidenceModel | None,
    score_cost: float,
    runs: Sequence[Run] = (),
    *,
    orders: int = 4,
) -> Actions:
    """Without `likeliest` (no scores) only voting."""
    seen: dict[_Key, list[_Seen]] = {}
    ran: dict[str, list[Run]] = {}
    for run in runs:
        ran.setdefault(run.problem, []).append(run)
    for index, problem in enumerate(problems):
        for order in range(orders):
            plain = _ladder(index, problem, order, None, score_cost)
            scored = {} if likeliest is None else _ladder(index, problem, order, likeliest, score_cost)
            for key, one in _transitions(plain, scored, voting, likeliest, ran.get(problem.id, ())):
                seen.setdefault(key, []).append(one)
    return Actions(BANDS, tuple(_value(key, group) for key, group in sorted(seen.items(), key=lambda one: str(one[0]))))


def _ladder(
    index: int, problem: GradedProblem, order: int, model: ConfidenceModel | None, score_cost: float
) -> dict[int, State]:
    counting = Counting("votes" if model is None else "scored", score_cost)
    choose = None if model is None else chooser_of(model)(index)
    states: dict[int, State] = {}
    for size, sample in enumerate(shuffled(problem, order, 0), start=1):
        counting.add(sample)
        if size in LADDER:
            states[size] = counting.state(index, choose)
    return states


def _transitions(
    plain: Mapping[int, State],
    scored: Mapping[int, State],
    voting: ConfidenceModel,
    likeliest: ConfidenceModel | None,
    ran: Sequence[Run],
) -> Iterator[tuple[_Key, _Seen]]:
    for size, state in plain.items():
        yield from _grown("sample", False, size, state, plain, voting)
        yield from _grown("score", False, size, state, scored, voting, factors=(1, 2, 4))
    if likeliest is None:
        return
    for size, state in scored.items():
        yield from _grown("sample", True, size, state, scored, likeliest)
        for run in ran:
            key = ("search", size, True, size, run.strategy)
            yield key, _Seen(state.problem, _band(likeliest, state), run.right - state.right, run.cost)


def _grown(
    action: str,
    is_scored: bool,
    size: int,
    state: State,
    after: Mapping[int, State],
    model: ConfidenceModel,
    factors: Sequence[int] = REACH,
) -> Iterator[tuple[_Key, _Seen]]:
    for factor in factors:
        later = after.get(size * factor)
        if later is not None:
            gain, cost = float(later.right) - float(state.right), later.cost - state.cost
            key = (action, size, is_scored, size * factor, None)
            yield key, _Seen(state.problem, _band(model, state), gain, cost)


def _band(model: ConfidenceModel, state: State) -> int:
    confidence = confidence_of(model, state)
    return next(at for at, end in enumerate(BANDS) if confidence <= end)


def _value(key: _Key, seen: Sequence[_Seen]) -> ActionValue:
    action, size, scored, to_size, strategy = key
    overall = sum(one.cost for one in seen) / len(seen)
    gains, costs = [], []
    for band in range(len(BANDS)):
        here = [one for one in seen if one.band == band]
        trust = len({one.problem for one in here})
        mean = sum(one.gain for one in here) / len(here) if here else 0.0
        gains.append(round(mean * trust / (trust + DOUBT), 4))
        costs.append(round(sum(one.cost for one in here) / len(here) if here else overall, 3))
    return ActionValue(action, size, scored, to_size, tuple(gains), tuple(costs), strategy)
