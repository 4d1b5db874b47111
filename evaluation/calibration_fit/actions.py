"""Fits what each action of the adaptive search brings: the mean change of P(right) and the mean cost, by confidence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from domain.calibration import Actions, ActionValue, ConfidenceModel
from domain.recipe import StrategySpec
from evaluation.calibration_fit.check import confidence_of
from evaluation.calibration_fit.climbs import climbs, ladder_of
from evaluation.calibration_fit.election import chooser_of
from evaluation.calibration_fit.runs import Run
from evaluation.calibration_fit.traces import GradedProblem
from evaluation.calibration_fit.trajectories import Counting, State, begun, counted
from search.election import SEARCHED_AGAIN, after_one

BANDS = (0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 0.95, 1.0)
"""Few, since every job's trace holds the table."""
LADDER = (1, 2, 4, 8, 16, 32, 64, 128, 256)
LOW = 16
"""Beyond so many plain solutions nothing is fitted where there are stages, which bring more there."""
REACH = (2, 4)
"""Factors by which one action may grow the samples."""
CAUTION = 0.5
"""Standard errors (over problems) by which a gain lies below what was seen."""
DOUBT = 6
"""Problems' worth of "it brings nothing" that every cell starts with: thin data must not cost much."""


@dataclass(frozen=True, slots=True)
class _Seen:
    problem: int
    band: int
    to_band: int
    gain: float
    cost: float


@dataclass(frozen=True, slots=True)
class _Key:
    """As in `ActionValue`."""

    action: str
    samples: int
    scored: bool
    to_samples: int
    strategy: StrategySpec | None = None
    rung: int = 0
    to_rung: int = 0


def fit_actions(
    problems: Sequence[GradedProblem],
    voting: ConfidenceModel,
    likeliest: ConfidenceModel | None,
    score_cost: float,
    runs: Sequence[Run] = (),
    searched: Sequence[ConfidenceModel] = (),
    *,
    orders: int = 4,
    caution: float = CAUTION,
) -> Actions:
    """Without `likeliest` (no scores) only voting; without `searched` (after each stage, after several) no stages."""
    seen: dict[_Key, list[_Seen]] = {}
    for index, problem in enumerate(problems):
        for order in range(orders):
            plain = _ladder(index, problem, order, None, score_cost)
            scored = {} if likeliest is None else _ladder(index, problem, order, likeliest, score_cost)
            for key, one in _transitions(plain, scored, voting, likeliest):
                if not searched or key.to_samples <= LOW:
                    seen.setdefault(key, []).append(one)
    if likeliest is not None and searched:
        for key, one in _stages(problems, runs, voting, likeliest, searched, score_cost, orders):
            seen.setdefault(key, []).append(one)
    found = sorted(seen.items(), key=lambda one: str(one[0]))
    return Actions(BANDS, tuple(_value(key, group, caution) for key, group in found))


def _stages(
    problems: Sequence[GradedProblem],
    runs: Sequence[Run],
    voting: ConfidenceModel,
    likeliest: ConfidenceModel,
    searched: Sequence[ConfidenceModel],
    score_cost: float,
    orders: int,
) -> Iterator[tuple[_Key, _Seen]]:
    """From nothing or from plain solutions, verified or not, to a stage, and from stage to stage."""
    ladder, models = ladder_of(runs), {one.family: one for one in searched}
    for order in range(orders):
        for climb in climbs(problems, runs, score_cost, order=order):
            states = [step.state(climb.problem) for step in climb.steps]
            first = climb.rungs[0]
            families = [after_one(ladder[first]), *[SEARCHED_AGAIN] * (len(states) - 1)]
            after = [(models[family], state) for family, state in zip(families, states, strict=True)]
            plain = problems[climb.problem], order, climb.start, score_cost
            for model, scored in ((voting, False), (likeliest, True))[: 2 if climb.start else 1]:
                state = _begun(climb.problem, *plain, likeliest if scored else None)
                key = _Key("search", climb.start, scored, climb.start, ladder[first], 0, first + 1)
                yield key, _seen(model, state, *after[0])
            for (rung, before), (to, then) in pairwise(zip(climb.rungs, after, strict=True)):
                key = _Key("search", climb.start, True, climb.start, ladder[to], rung + 1, to + 1)
                yield key, _seen(*before, *then)


def _ladder(
    index: int, problem: GradedProblem, order: int, model: ConfidenceModel | None, score_cost: float
) -> dict[int, State]:
    counting = Counting("votes" if model is None else "scored", score_cost)
    choose = None if model is None else chooser_of(model)(index)
    states: dict[int, State] = {0: counting.state(index)} if model is None else {}
    for size, sample in enumerate(begun(problem, order), start=1):
        counting.add(sample)
        if size in LADDER:
            states[size] = counting.state(index, choose)
    return states


def _begun(
    index: int, problem: GradedProblem, order: int, size: int, score_cost: float, model: ConfidenceModel | None
) -> State:
    """After the first few plain solutions; verified where a `model` elects by their scores."""
    counting = counted(problem, order, size, "votes" if model is None else "scored", score_cost)
    return counting.state(index, None if model is None else chooser_of(model)(index))


def _transitions(
    plain: Mapping[int, State], scored: Mapping[int, State], voting: ConfidenceModel, likeliest: ConfidenceModel | None
) -> Iterator[tuple[_Key, _Seen]]:
    yield _Key("sample", 0, False, 1), _seen(voting, plain[0], voting, plain[1])
    for size, state in list(plain.items())[1:]:
        yield from _grown("sample", False, size, state, plain, voting)
        yield from _grown("score", False, size, state, scored, voting, likeliest, factors=(1, 2, 4))
    if likeliest is not None:
        for size, state in scored.items():
            yield from _grown("sample", True, size, state, scored, likeliest)


def _grown(
    action: str,
    is_scored: bool,
    size: int,
    state: State,
    after: Mapping[int, State],
    model: ConfidenceModel,
    then: ConfidenceModel | None = None,
    factors: Sequence[int] = REACH,
) -> Iterator[tuple[_Key, _Seen]]:
    for factor in factors:
        later = after.get(size * factor)
        if later is not None:
            yield _Key(action, size, is_scored, size * factor), _seen(model, state, then or model, later)


def _seen(model: ConfidenceModel, before: State, then: ConfidenceModel, after: State) -> _Seen:
    """`then` is the model that says how sure the search is afterwards."""
    gain = float(after.right) - float(before.right)
    return _Seen(before.problem, _band(model, before), _band(then, after), gain, after.cost - before.cost)


def _band(model: ConfidenceModel, state: State) -> int:
    confidence = confidence_of(model, state)
    return next(at for at, end in enumerate(BANDS) if confidence <= end)


def _value(key: _Key, seen: Sequence[_Seen], caution: float) -> ActionValue:
    overall = sum(one.cost for one in seen) / len(seen)
    gains, costs, after = [], [], []
    for band in range(len(BANDS)):
        here = [one for one in seen if one.band == band]
        trust = len({one.problem for one in here})
        gains.append(round(_cautious(here, trust, caution), 4))
        costs.append(round(sum(one.cost for one in here) / len(here) if here else overall, 3))
        after.append(_chances(band, here, trust))
    return ActionValue(
        key.action, key.samples, key.scored, key.to_samples, tuple(gains), tuple(costs),
        key.strategy, key.rung, key.to_rung, tuple(after),
    )  # fmt: skip


def _cautious(here: Sequence[_Seen], problems: int, caution: float) -> float:
    """The mean gain, less what chance may have added: a plan picks the best of many such numbers."""
    if not here:
        return 0.0
    mean = sum(one.gain for one in here) / len(here)
    spread = math.sqrt((sum((one.gain - mean) ** 2 for one in here) / len(here) + 0.25 / problems) / problems)
    return mean - caution * spread


def _chances(band: int, here: Sequence[_Seen], problems: int) -> tuple[float, ...]:
    """Of each band afterwards; as doubtful as the gain, an unseen outcome leaves the confidence where it is."""
    told = problems / (problems + DOUBT)
    counts = [sum(one.to_band == to for one in here) for to in range(len(BANDS))]
    shares = [told * count / len(here) if here else 0.0 for count in counts]
    shares[band] += 1.0 - told
    return tuple(round(share, 2) for share in shares)
