"""Compute-optimal search: a probe says how hard the problem is, a fitted table says what does best on such problems at
this budget (2408.03314, sections 3.2 and 5.3). The probe is charged, and its solutions are the first of what follows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from domain.calibration import Calibration, Choice, Difficulty
from domain.ids import derive_seed
from domain.moves import Move, Outcome
from domain.problem import Problem
from domain.recipe import StrategySpec
from domain.specs.adaptive import ComputeOptimal
from domain.specs.parallel import BestOfN, SelfConsistency
from domain.verdict import Verdict
from search.choosing import by_verifier
from search.confidence import calibrated, family_of
from search.difficulty import best_choice, bin_of
from search.features import evidence_for
from search.guidance import Guidance
from search.sampling import SamplingState
from search.solutions import Pool, ask_pool, classes_of, grown, idle, tell_pool
from search.stages import Stage, ask_stage, begin_stage, owns, stage_verdict, tell_stage
from search.tree import Node
from search.verdicts import by_majority


@dataclass(frozen=True, slots=True)
class ComputeOptimalState:
    spec: ComputeOptimal
    seed: int
    pool: Pool
    calibration: Calibration | None = None
    scoring: bool = True
    chosen: StrategySpec | None = None
    """What the probe has led to; None while it is under way."""
    stage: Stage | None = None

    @property
    def in_flight(self) -> tuple[Move, ...]:
        return self.pool.in_flight if self.stage is None else (*self.pool.in_flight, *self.stage.in_flight)

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self.pool.nodes

    @property
    def finished(self) -> tuple[Node, ...]:
        return self.pool.finished


class ComputeOptimalStrategy:
    def start(self, problem: Problem, spec: ComputeOptimal, seed: int) -> ComputeOptimalState:
        whole = BestOfN(spec.n, "weighted", "last", spec.temperature, spec.top_p, spec.max_tokens)
        return ComputeOptimalState(spec, seed, SamplingState(problem, whole, seed), chosen=whole)

    def guide(self, state: ComputeOptimalState, guidance: Guidance) -> ComputeOptimalState:
        """With a fit, what was to be one large sample becomes a probe first."""
        calibration = guidance.calibration
        difficulty = None if calibration is None else calibration.difficulty
        if calibration is None or difficulty is None or not calibration.choices:
            return state
        probe = min(difficulty.samples, state.spec.n)
        pool = replace(state.pool, spec=replace(state.pool.spec, n=probe))
        return replace(state, pool=pool, calibration=calibration, scoring=difficulty.scored, chosen=None)

    def ask(self, state: ComputeOptimalState, limit: int) -> tuple[ComputeOptimalState, tuple[Move, ...]]:
        asked = state
        while limit > 0:
            if asked.stage is not None:
                stage, moves = ask_stage(asked.stage, limit)
                asked = replace(asked, stage=stage)
            else:
                pool, moves = ask_pool(asked.pool, limit, scoring=asked.scoring)
                asked = replace(asked, pool=pool)
            if moves:
                return asked, moves
            if asked.chosen is not None or not idle(asked.pool, scoring=asked.scoring):
                return state, ()
            asked = _chosen(asked)
        return state, ()

    def tell(self, state: ComputeOptimalState, outcome: Outcome) -> ComputeOptimalState:
        if state.stage is not None and owns(state.stage, outcome.move_id):
            return replace(state, stage=tell_stage(state.stage, outcome))
        return replace(state, pool=tell_pool(state.pool, outcome))

    def verdict(self, state: ComputeOptimalState) -> Verdict:
        if state.stage is not None and (found := stage_verdict(state.stage)).answer is not None:
            return _sure(state, found, state.stage.spec)
        chosen = state.chosen
        if isinstance(chosen, SelfConsistency):
            return _sure(state, by_majority(state.pool.finished, state.pool.sampled), chosen)
        selection = chosen.selection if isinstance(chosen, BestOfN) else "weighted"
        verdict = by_verifier(state.pool.finished, state.pool.sampled, selection, "last")
        return _sure(state, verdict, chosen or state.pool.spec)


def _sure(state: ComputeOptimalState, verdict: Verdict, spec: StrategySpec) -> Verdict:
    """With the confidence that was fitted for what was chosen."""
    if verdict.evidence is None:
        return verdict
    family = family_of(spec.name, verdict.evidence, getattr(spec, "selection", None))
    return calibrated(verdict, family, state.calibration)


def _chosen(state: ComputeOptimalState) -> ComputeOptimalState:
    """The state after its probe: goes on as the table says, or ends where the table has nothing for this budget."""
    calibration = state.calibration
    assert calibration is not None
    assert calibration.difficulty is not None
    choice = _choice(state, calibration, calibration.difficulty)
    spec = state.pool.spec if choice is None else _adopted(choice.strategy, state.spec)
    if isinstance(spec, SelfConsistency):
        return replace(state, chosen=spec, pool=grown(state.pool, spec.n), scoring=False)
    if isinstance(spec, BestOfN):
        return replace(state, chosen=spec, pool=grown(state.pool, spec.n), scoring=True)
    base = len(state.pool.nodes)
    stage = begin_stage(state.pool.problem, spec, derive_seed(state.seed, "stage", base), base)
    return replace(state, chosen=spec, stage=stage)


def _choice(state: ComputeOptimalState, calibration: Calibration, difficulty: Difficulty) -> Choice | None:
    classes = classes_of(state.pool.nodes)
    if not classes:  # as hard as it gets
        return best_choice(calibration.choices, len(difficulty.edges), state.spec.n)
    evidence = evidence_for(classes, classes[0], state.pool.sampled)
    return best_choice(calibration.choices, bin_of(difficulty, evidence), state.spec.n)


def _adopted(strategy: StrategySpec, spec: ComputeOptimal) -> StrategySpec:
    """With the caller's sampling parameters; a step's token limit stays its own."""
    given = {"temperature": spec.temperature, "top_p": spec.top_p}
    if isinstance(strategy, SelfConsistency | BestOfN):
        given["max_tokens"] = spec.max_tokens
    return replace(strategy, **given)  # type: ignore[arg-type]
