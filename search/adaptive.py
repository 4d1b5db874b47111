"""The adaptive search: again and again what promises the largest gain in P(right) for its cost.

It stops when the caller's confidence (or the spec's) is reached, when no action is worth its price, and when its `n`
solutions are there; the budget is the shell's. Decisions fall at the ends of rounds: arrival order leaves no mark.

Over-optimisation guard: when the scores of the verifier's favourite rise while fewer and fewer solutions agree with it,
the verifier is being exploited, not obeyed; then votes decide, and the search ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from domain.calibration import Calibration
from domain.ids import derive_seed
from domain.moves import Move, Outcome
from domain.problem import Problem
from domain.recipe import StrategySpec
from domain.specs.adaptive import Adaptive
from domain.specs.parallel import BestOfN
from domain.verdict import Verdict
from search.controller import Action, Situation, next_action
from search.guidance import Guidance
from search.sampling import SamplingState
from search.solutions import Pool, ask_pool, grown, tell_pool, verifier_is_silent
from search.stages import Stage, ask_stage, asked_in, begin_stage, nodes_in, solutions_in, told_by_owner
from search.standing import Standing, so_far, stand
from search.tree import Node, NodeStatus, ScoreStatus

OUTVOTED = 10.0
"""Times as many votes as the favourite's that another answer must have for the guard to look."""
RISE = 0.02
"""Change of the best score, and of the vote share, that the guard takes note of."""


@dataclass(frozen=True, slots=True)
class AdaptiveState:
    spec: Adaptive
    seed: int
    pool: Pool
    guidance: Guidance | None = None
    scoring: bool = False
    """Whether solutions are verified as they come."""
    stages: tuple[Stage, ...] = ()
    """Searches over steps, one after the other."""
    rung: int = 0
    """Where on the fitted ladder of stages the search stands."""
    settled: int = 0
    """Plain solutions at the decision before: the verdict never falls back behind them."""
    before: tuple[float, float] | None = None
    """Best score and vote share of the favourite at the decision before: what the guard compares with."""

    @property
    def in_flight(self) -> tuple[Move, ...]:
        return (*self.pool.in_flight, *asked_in(self.stages))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """What votes: the plain solutions, and what the stages came to."""
        return (*self.pool.nodes, *solutions_in(self.stages))

    @property
    def finished(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.finished)


class AdaptiveStrategy:
    def start(self, problem: Problem, spec: Adaptive, seed: int) -> AdaptiveState:
        probe = BestOfN(min(spec.probe, spec.n), "weighted", "last", spec.temperature, spec.top_p, spec.max_tokens)
        return AdaptiveState(spec, seed, SamplingState(problem, probe, seed, first_temperature=spec.first_temperature))

    def guide(self, state: AdaptiveState, guidance: Guidance) -> AdaptiveState:
        return replace(state, guidance=guidance)

    def ask(self, state: AdaptiveState, limit: int) -> tuple[AdaptiveState, tuple[Move, ...]]:
        asked = state
        while limit > 0:
            asked, moves = _asked(asked, limit)
            if moves:
                return asked, moves
            decided = None if asked.in_flight else _decided(asked)
            if decided is None:
                return state, ()
            asked = decided
        return state, ()

    def tell(self, state: AdaptiveState, outcome: Outcome) -> AdaptiveState:
        stages = told_by_owner(state.stages, outcome)
        if stages is None:
            return replace(state, pool=tell_pool(state.pool, outcome))
        return replace(state, stages=stages)

    def verdict(self, state: AdaptiveState) -> Verdict:
        return _standing(state).verdict


def _asked(state: AdaptiveState, limit: int) -> tuple[AdaptiveState, tuple[Move, ...]]:
    """What the pool and the last stage ask for; a stage that is over asks for nothing."""
    pool, moves = ask_pool(state.pool, limit, scoring=state.scoring)
    state = replace(state, pool=pool)
    if not state.stages or len(moves) == limit:
        return state, moves
    stage, more = ask_stage(state.stages[-1], limit - len(moves))
    return replace(state, stages=(*state.stages[:-1], stage)), moves + more


def _standing(state: AdaptiveState) -> Standing:
    """Where the search stands."""
    return so_far(_stood(state), _calibration(state), state.stages)


def _stood(state: AdaptiveState) -> Standing:
    """By votes alone where the guard says so."""
    voters, scored = _voters(state)
    calibration = _calibration(state)
    sampled = sum(node.status is NodeStatus.SAMPLED for node in voters)
    if not scored:
        return stand(voters, sampled, calibration, by_votes=True)
    standing = stand(voters, sampled, calibration, stages=state.stages)
    if not exploited(state.before, standing):
        return standing
    voted = stand(voters, sampled, calibration, by_votes=True)
    # Where both are probabilities the larger one counts; else the benefit of doubt is the votes'.
    better = calibration is None or voted.verdict.confidence >= standing.verdict.confidence
    return replace(voted, guarded=True) if better else standing


def _voters(state: AdaptiveState) -> tuple[tuple[Node, ...], bool]:
    """The solutions that take part now, and whether their scores do.

    Once solutions are verified it is the first so many without a gap: what a half-verified search looks like depends on
    which scores came first, and no confidence was fitted for that.
    """
    if not state.scoring or verifier_is_silent(state.pool):
        return state.nodes, False
    nodes = state.pool.nodes
    whole = next((at for at, node in enumerate(nodes) if _awaited(node)), len(nodes))
    if whole < state.settled:
        return nodes[: state.settled], False
    return nodes[:whole] + state.nodes[len(nodes) :], True


def _awaited(node: Node) -> bool:
    waits = node.scoring in (ScoreStatus.NONE, ScoreStatus.PENDING)
    return node.status is NodeStatus.PENDING or (node.finished and waits)


def exploited(before: tuple[float, float] | None, now: Standing) -> bool:
    """Whether the favourite's score rose while its share of the votes fell far below another answer's."""
    if before is None or not now.scored or now.vote_share * OUTVOTED > now.top_share:
        return False
    return now.best_score >= before[0] + RISE and now.vote_share <= before[1] - RISE


def _calibration(state: AdaptiveState) -> Calibration | None:
    return None if state.guidance is None else state.guidance.calibration


def _decided(state: AdaptiveState) -> AdaptiveState | None:
    """The state with something more to do, or None: the search is over."""
    if state.pool.nodes and all(node.status is NodeStatus.FAILED for node in state.pool.nodes):
        return None
    standing, calibration = _standing(state), _calibration(state)
    target = None if state.guidance is None else state.guidance.target
    enough = state.spec.confidence if target is None else target
    if state.nodes and (standing.guarded or standing.verdict.confidence >= enough):
        return None
    action = next_action(_situation(state, standing, target), None if calibration is None else calibration.actions)
    if action is None:
        return None
    before = (standing.best_score, standing.vote_share) if standing.scored else None
    return replace(_begun(state, action), before=before, settled=len(state.pool.nodes))


def _situation(state: AdaptiveState, standing: Standing, target: float | None) -> Situation:
    silent = verifier_is_silent(state.pool)
    return Situation(
        samples=len(state.pool.nodes),
        scored=state.scoring and not silent,
        confidence=standing.verdict.confidence,
        most=state.spec.n,
        price=state.spec.price,
        target=target,
        can_score=not state.scoring,
        can_search=not silent,
        rung=state.rung,
        answered=standing.verdict.answer is not None,
    )


def _begun(state: AdaptiveState, action: Action) -> AdaptiveState:
    if action.strategy is not None:
        staged = (*state.stages, _stage(state, action.strategy))
        return replace(state, scoring=True, stages=staged, rung=action.rung)
    scoring = state.scoring or action.scored
    return replace(state, pool=grown(state.pool, action.samples), scoring=scoring)


def _stage(state: AdaptiveState, strategy: StrategySpec) -> Stage:
    """Its nodes come after all others': plain solutions have the first `n` ids."""
    number = len(state.stages)
    base = state.spec.n + nodes_in(state.stages)
    seed = derive_seed(state.seed, "stage", number)
    return begin_stage(state.pool.problem, replace(strategy, top_p=state.spec.top_p), seed, base)
