"""Compute-optimal search: a probe says how hard the problem is, a fitted table says what does best on such problems at
this budget (2408.03314, sections 3.2 and 5.3): a strategy, or several searches over steps one after the other. The
probe is charged, and its solutions take part in the election.
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
from search.confidence import calibrated
from search.difficulty import best_choice, bin_of
from search.election import model_after
from search.features import evidence_for
from search.guidance import Guidance
from search.sampling import SamplingState
from search.solutions import Pool, ask_pool, classes_of, grown, idle, tell_pool
from search.stages import Stage, ask_stage, asked_in, begin_stage, nodes_in, solutions_in, stage_verdict, told_by_owner
from search.standing import so_far, stand
from search.tree import Node, NodeStatus
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
    stages: tuple[Stage, ...] = ()
    """Searches over steps, one after the other."""
    waiting: tuple[StrategySpec, ...] = ()
    """Those that are yet to begin."""

    @property
    def in_flight(self) -> tuple[Move, ...]:
        return (*self.pool.in_flight, *asked_in(self.stages))

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self.pool.nodes

    @property
    def finished(self) -> tuple[Node, ...]:
        return self.pool.finished


class ComputeOptimalStrategy:
    def start(self, problem: Problem, spec: ComputeOptimal, seed: int) -> ComputeOptimalState:
        whole = BestOfN(spec.n, "weighted", "last", spec.temperature, spec.top_p, spec.max_tokens)
        pool = SamplingState(problem, whole, seed, first_temperature=spec.first_temperature)
        return ComputeOptimalState(spec, seed, pool, chosen=whole)

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
            asked, moves = _asked(asked, limit)
            if moves:
                return asked, moves
            going_on = _going_on(asked)
            if going_on is None:
                return state, ()
            asked = going_on
        return state, ()

    def tell(self, state: ComputeOptimalState, outcome: Outcome) -> ComputeOptimalState:
        stages = told_by_owner(state.stages, outcome)
        if stages is None:
            return replace(state, pool=tell_pool(state.pool, outcome))
        return replace(state, stages=stages)

    def verdict(self, state: ComputeOptimalState) -> Verdict:
        """Of the probe's solutions and all that came after it; without a fit as the chosen strategy itself decides."""
        if isinstance(state.chosen, SelfConsistency):
            return _voted(state)
        if model_after(state.calibration, [stage.spec for stage in state.stages]) is not None:
            return _elected(state)
        for stage in reversed(state.stages):
            if (found := stage_verdict(stage)).answer is not None:
                return found
        return by_verifier(state.pool.finished, state.pool.sampled, "weighted", "last")


def _asked(state: ComputeOptimalState, limit: int) -> tuple[ComputeOptimalState, tuple[Move, ...]]:
    if not state.stages:
        pool, moves = ask_pool(state.pool, limit, scoring=state.scoring)
        return replace(state, pool=pool), moves
    stage, moves = ask_stage(state.stages[-1], limit)
    return replace(state, stages=(*state.stages[:-1], stage)), moves


def _going_on(state: ComputeOptimalState) -> ComputeOptimalState | None:
    """The state with something more to do, or None: something is awaited, or the search is over."""
    if state.chosen is None:
        return _chosen(state) if idle(state.pool, scoring=state.scoring) else None
    if state.waiting and not state.in_flight:
        return _next_stage(state)
    return None


def _voted(state: ComputeOptimalState) -> Verdict:
    verdict = by_majority(state.pool.finished, state.pool.sampled)
    return verdict if verdict.evidence is None else calibrated(verdict, "votes", state.calibration)


def _elected(state: ComputeOptimalState) -> Verdict:
    """As in `search.adaptive`."""
    voters = (*state.pool.nodes, *solutions_in(state.stages))
    sampled = sum(node.status is NodeStatus.SAMPLED for node in voters)
    standing = stand(voters, sampled, state.calibration, stages=state.stages)
    return so_far(standing, state.calibration, state.stages).verdict


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
    then = () if choice is None else choice.then
    waiting = (spec, *(_adopted(one, state.spec) for one in then))
    return _next_stage(replace(state, chosen=spec, waiting=waiting))


def _next_stage(state: ComputeOptimalState) -> ComputeOptimalState:
    first, *others = state.waiting
    base = len(state.pool.nodes) + nodes_in(state.stages)
    stage = begin_stage(state.pool.problem, first, derive_seed(state.seed, "stage", base), base)
    return replace(state, stages=(*state.stages, stage), waiting=tuple(others))


def _choice(state: ComputeOptimalState, calibration: Calibration, difficulty: Difficulty) -> Choice | None:
    classes = classes_of(state.pool.nodes)
    if not classes:  # as hard as it gets
        return best_choice(calibration.choices, len(difficulty.edges), state.spec.n)
    evidence = evidence_for(classes, classes[0], state.pool.sampled)
    return best_choice(calibration.choices, bin_of(difficulty, evidence), state.spec.n)


def _adopted(strategy: StrategySpec, spec: ComputeOptimal) -> StrategySpec:
    """With the caller's sampling parameters; a step's temperature and token limit stay its own."""
    if isinstance(strategy, SelfConsistency | BestOfN):
        return replace(strategy, temperature=spec.temperature, top_p=spec.top_p, max_tokens=spec.max_tokens)
    return replace(strategy, top_p=spec.top_p)
