"""Adaptive voting: sample until the vote is decided (Adaptive-Consistency, 2305.11860; the rules are in `stop_rules`).

A round is the fewest samples after which the rule could stop, so that no solution is sampled that a one-by-one sampler
would not have sampled, and yet an easy problem takes one round.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from domain.moves import Move, Outcome
from domain.problem import Problem
from domain.specs.adaptive_voting import AdaptiveVoting
from domain.verdict import Verdict
from search.sampling import SamplingState, ask_samples, tell_outcome
from search.stop_rules import Votes, fewest_more
from search.tree import NodeStatus
from search.verdicts import by_majority
from search.voting import class_of


@dataclass(frozen=True, slots=True)
class VotingState:
    samples: SamplingState[AdaptiveVoting]
    target: int = 0
    """Solutions to be asked by the end of this round."""

    @property
    def in_flight(self) -> tuple[Move, ...]:
        return self.samples.in_flight


class AdaptiveVotingStrategy:
    """Votes only; asks nothing of a verifier."""

    def start(self, problem: Problem, spec: AdaptiveVoting, seed: int) -> VotingState:
        return VotingState(SamplingState(problem, spec, seed))

    def ask(self, state: VotingState, limit: int) -> tuple[VotingState, tuple[Move, ...]]:
        target = _target(state)
        samples, moves = ask_samples(state.samples, min(limit, target - len(state.samples.nodes)))
        return (VotingState(samples, target), moves) if moves else (state, ())

    def tell(self, state: VotingState, outcome: Outcome) -> VotingState:
        return replace(state, samples=tell_outcome(state.samples, outcome))

    def verdict(self, state: VotingState) -> Verdict:
        return by_majority(state.samples.finished, state.samples.sampled)


def _target(state: VotingState) -> int:
    """The end of this round, or of the next one when all of this one has come back; no next one for a decided vote."""
    asked, spec = len(state.samples.nodes), state.samples.spec
    if state.in_flight or asked < state.target:
        return state.target
    more = _more(state)
    return min(asked + max(more, spec.round), spec.n) if more else asked


def _more(state: VotingState) -> int:
    """Failed calls are no votes, yet they use up places: a dead engine must not be asked for ever."""
    failed = sum(node.status is NodeStatus.FAILED for node in state.samples.nodes)
    spec = state.samples.spec
    return fewest_more(replace(spec, n=max(spec.n - failed, 1)), votes_of(state.samples)) if failed < spec.n else 0


def votes_of(samples: SamplingState[AdaptiveVoting]) -> Votes:
    """The votes of all solutions that came back, in order of their nodes."""
    roots = class_of(samples.nodes)
    numbers = {root: number for number, root in enumerate(dict.fromkeys(roots.values()))}
    back = (node for node in samples.nodes if node.status is NodeStatus.SAMPLED)
    return [numbers[roots[node.answer.key]] if node.finished and node.answer else None for node in back]
