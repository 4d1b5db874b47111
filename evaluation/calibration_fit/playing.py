"""The adaptive search as it would have gone on a graded problem whose searches over steps were recorded.

Law: it decides by the service's own controller on the evidence that the service would have; only samples, scores and
stages come from the record. Two things differ: the over-optimisation guard takes no part, and a search that asks for
more plain solutions than were recorded ends there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from domain.calibration import Calibration
from domain.recipe import StrategySpec
from domain.specs.adaptive import Adaptive
from evaluation.calibration_fit.check import confidence_of
from evaluation.calibration_fit.election import chooser_of
from evaluation.calibration_fit.runs import Run
from evaluation.calibration_fit.traces import GradedProblem
from evaluation.calibration_fit.trajectories import State, counted
from search.controller import Action, Situation, next_action
from search.election import model_after


@dataclass(frozen=True, slots=True)
class Played:
    right: bool
    confidence: float
    cost: float
    """In costs of one plain sample."""
    stages: tuple[StrategySpec, ...]
    """Searches over steps, in the order in which they were made."""


@dataclass(frozen=True, slots=True)
class _At:
    """Where a search stands."""

    samples: int = 0
    scored: bool = False
    stages: tuple[Run, ...] = ()
    rung: int = 0

    @property
    def specs(self) -> tuple[StrategySpec, ...]:
        return tuple(one.strategy for one in self.stages)


def played(
    problem: GradedProblem,
    runs: Mapping[StrategySpec, Run],
    calibration: Calibration,
    spec: Adaptive,
    target: float | None = None,
    *,
    order: int = 0,
) -> Played:
    """`runs` are this problem's. Raises KeyError for a stage that was not recorded."""
    at = _At()
    while True:
        state, confidence = _stood(problem, at, calibration, order)
        enough = spec.confidence if target is None else target
        if (at.samples or at.rung) and confidence >= enough:
            break
        action = next_action(_situation(at, state, confidence, spec, target), calibration.actions)
        if action is None or action.samples > len(problem.samples):
            break
        at = _after(at, action, runs)
    return Played(state.right, confidence, state.cost, at.specs)


def _after(at: _At, action: Action, runs: Mapping[StrategySpec, Run]) -> _At:
    if action.strategy is not None:
        return _At(at.samples, True, (*at.stages, runs[action.strategy]), action.rung)
    return replace(at, samples=action.samples, scored=at.scored or action.scored)


def _situation(at: _At, state: State, confidence: float, spec: Adaptive, target: float | None) -> Situation:
    return Situation(
        samples=at.samples,
        scored=at.scored,
        confidence=confidence,
        most=spec.n,
        price=spec.price,
        target=target,
        can_score=not at.scored,
        can_search=True,
        rung=at.rung,
        answered=state.evidence.answered > 0,
    )


def _stood(problem: GradedProblem, at: _At, calibration: Calibration, order: int) -> tuple[State, float]:
    rule = "scored" if at.scored else "votes"
    counting = counted(problem, order, at.samples, rule, calibration.score_cost)
    for run in at.stages:
        counting.add_stage(run)
    model = model_after(calibration, at.specs) if at.scored else calibration.model("votes")
    assert model is not None
    elects = at.scored and not at.stages
    state = counting.state(0, chooser_of(model)(0) if elects else None)
    return state, confidence_of(model, state)
