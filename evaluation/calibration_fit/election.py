"""Fits which answer to return of independent solutions: P(right) of each answer of a search, and how sure the likeliest
one then makes; and how sure the heaviest answer of a search makes that climbed the ladder of stages, whose solutions
are kin.

Law: what is returned in the searches that the curve is fitted on was chosen by a model that had not seen their problem.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from domain.calibration import ConfidenceModel, Logistic
from domain.recipe import StrategySpec
from domain.verdict import Evidence
from evaluation.calibration_fit.climbs import Climb
from evaluation.calibration_fit.confidence import FOLDS, curve_over, fit_searches, names_of
from evaluation.calibration_fit.logistic import feature_rows, fit_logistic
from evaluation.calibration_fit.traces import GradedProblem
from evaluation.calibration_fit.trajectories import Chooser, Counting, State, begun, trajectories
from search.election import LIKELIEST, MOST, SEARCHED_AGAIN, after_one, likeliest
from search.features import probability

SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An answer that a search could have returned."""

    problem: int
    evidence: Evidence
    right: bool
    weight: float


def fit_election(problems: Sequence[GradedProblem], *, orders: int = 4) -> ConfidenceModel:
    """A model of the family `likeliest`; all solutions need scores."""
    logistics = _by_fold(one for at, problem in enumerate(problems) for one in _in_orders(at, problem, orders))
    searches = list(trajectories(problems, "scored", orders=orders, choose=held_out_choosers(logistics)))
    held = [[_chance(logistics[one.problem % FOLDS], one) for one in states] for states in searches]
    raw, sure = curve_over(searches, held)
    most = max(len(problem.samples) for problem in problems)
    return ConfidenceModel(LIKELIEST, logistics[FOLDS], raw, sure, len(problems), most)


def fit_searched(climbs: Sequence[Climb], ladder: Sequence[StrategySpec], problems: int) -> list[ConfidenceModel]:
    """How sure the heaviest answer makes after each of the ladder's searches alone, and after several of them."""
    once: dict[str, dict[Hashable, list[State]]] = {}
    for climb in climbs:
        states = once.setdefault(after_one(ladder[climb.rungs[0]]), {})
        states[climb.problem, climb.start, climb.rungs[0]] = [climb.steps[0].state(climb.problem)]
    again = [[step.state(climb.problem) for step in climb.steps[1:]] for climb in climbs if len(climb.steps) > 1]
    found = [fit_searches(list(states.values()), family, problems) for family, states in sorted(once.items())]
    return [*found, fit_searches(again, SEARCHED_AGAIN, problems)] if again else found


def held_out_choosers(logistics: Sequence[Logistic]) -> Callable[[int], Chooser]:
    models = [_bare(one) for one in logistics]
    return lambda problem: lambda candidates: likeliest(models[problem % FOLDS], candidates)


def chooser_of(model: ConfidenceModel) -> Callable[[int], Chooser]:
    """The same fitted model for each problem."""
    return lambda _: lambda candidates: likeliest(model, candidates)


def _chance(logistic: Logistic, state: State) -> float:
    return probability(logistic, state.evidence) if state.evidence.answered else 0.0


def _bare(logistic: Logistic) -> ConfidenceModel:
    """To choose by: the curve plays no part in it."""
    return ConfidenceModel("", logistic, (0.0, 1.0), (0.0, 1.0), 0, 1 << 30)


def _by_fold(candidates: Iterable[_Candidate]) -> list[Logistic]:
    """For each fold the model that has not seen its problems, and the one of all problems last."""
    names, found = names_of("scored"), list(candidates)
    rows = feature_rows(names, [one.evidence for one in found])
    right = np.array([float(one.right) for one in found])
    weight = np.array([one.weight for one in found])
    fold = np.array([one.problem % FOLDS for one in found])
    kept = [*(fold != at for at in range(FOLDS)), np.ones(len(fold), dtype=bool)]
    return [fit_logistic(names, rows[one], right[one], weight[one]) for one in kept]


def _in_orders(index: int, problem: GradedProblem, orders: int) -> Iterable[_Candidate]:
    for order in range(orders):
        counting = Counting("scored", 1.0)
        for size, sample in enumerate(begun(problem, order), start=1):
            counting.add(sample)
            if size in SIZES:
                yield from _leading(index, counting)


def _leading(problem: int, counting: Counting) -> Iterable[_Candidate]:
    leading = counting.candidates()[:MOST]
    return (_Candidate(problem, evidence, right, 1.0 / len(leading)) for evidence, right in leading)
