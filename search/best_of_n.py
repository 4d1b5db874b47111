"""Best-of-N with a verifier: weighted by answer class, or the one best solution (2408.03314, sections 3.1 and 5.2).

A solution whose scoring failed has no weight and takes no part; while nothing is scored at all, plain votes decide.
"""

from __future__ import annotations

from typing import TypeAlias

from domain.moves import Move, Outcome
from domain.problem import Problem
from domain.specs.parallel import BestOfN
from domain.verdict import Verdict
from search.aggregation import aggregate
from search.sampling import SamplingState
from search.solutions import ask_pool, tell_pool
from search.tree import ScoreStatus
from search.verdicts import by_majority, elected
from search.voting import Ballot, tally

State: TypeAlias = SamplingState[BestOfN]


class BestOfNStrategy:
    """Scores each solution as soon as it is there, before it samples more; equal ones once."""

    def start(self, problem: Problem, spec: BestOfN, seed: int) -> State:
        return SamplingState(problem, spec, seed)

    def ask(self, state: State, limit: int) -> tuple[State, tuple[Move, ...]]:
        return ask_pool(state, limit, scoring=True)

    def tell(self, state: State, outcome: Outcome) -> State:
        return tell_pool(state, outcome)

    def verdict(self, state: State) -> Verdict:
        ballots = _ballots(state)
        if not ballots:
            return by_majority(state.finished, state.sampled, "most votes (nothing is scored yet)")
        classes = tally(ballots, state.nodes)
        if state.spec.selection == "weighted":
            return elected(classes, classes[0], state.sampled, "largest sum of verifier scores")
        best = max(classes, key=lambda one: (one.best.weight, -one.best.node.id))
        return elected(classes, best, state.sampled, "solution with the highest verifier score")


def _ballots(state: State) -> list[Ballot]:
    return [
        Ballot(node, aggregate(state.spec.aggregation, node.scores))
        for node in state.finished
        if node.scoring is ScoreStatus.SCORED
    ]
