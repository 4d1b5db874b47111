"""Self-consistency: sample n solutions, the class of equivalent answers with the most votes wins (2203.11171)."""

from __future__ import annotations

from typing import TypeAlias

from domain.moves import Move, Outcome
from domain.problem import Problem
from domain.specs.parallel import SelfConsistency
from domain.verdict import Verdict
from search.sampling import SamplingState, ask_samples, tell_outcome
from search.verdicts import by_majority

State: TypeAlias = SamplingState[SelfConsistency]


class SelfConsistencyStrategy:
    """Votes only; asks nothing of a verifier."""

    def start(self, problem: Problem, spec: SelfConsistency, seed: int) -> State:
        return SamplingState(problem, spec, seed)

    def ask(self, state: State, limit: int) -> tuple[State, tuple[Move, ...]]:
        return ask_samples(state, limit)

    def tell(self, state: State, outcome: Outcome) -> State:
        return tell_outcome(state, outcome)

    def verdict(self, state: State) -> Verdict:
        return by_majority(state.finished, state.sampled)
