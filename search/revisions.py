"""Sequential revisions in parallel chains (2408.03314, section 6), at any ratio of the two.

Node `i` is turn (i − 1) // chains of chain (i − 1) mod chains, so that nodes and seeds depend on the spec alone and not
on which chain happened to be faster. About 38 % of right answers are turned wrong by one more revision: the verdict is
over whole chains and across them, and never takes the last one for being the last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain.moves import ROOT, Move, Outcome, Sample
from domain.problem import Problem
from domain.specs.sequential import Revisions
from domain.verdict import Verdict
from search.choosing import BEST, UNSCORED, by_verifier, by_votes, own_text, scored_ballots, standing
from search.growth import Growth, asked, attempts_to, came_back, recorded, sample_of
from search.scoring import due, own_solution, taken_in
from search.tree import Node, ScoreStatus
from search.voting import Ballot, tally

WITHIN_AND_ACROSS = "largest sum of verifier scores over the best solution of each chain"


@dataclass(frozen=True, slots=True)
class State(Growth[Revisions]):
    """All `n` nodes are there from the start."""

    ready: tuple[int, ...] = ()
    """Nodes whose turn it is, ascending."""


def chains_of(spec: Revisions) -> int:
    """The number of chains whose length over their number is nearest to the ratio: √(n / ratio), from 1 to n."""
    return max(1, min(spec.n, round(math.sqrt(spec.n / spec.ratio))))


class RevisionsStrategy:
    """Scores each solution as soon as it is there; a chain does not wait for scores."""

    def start(self, problem: Problem, spec: Revisions, seed: int) -> State:
        chains = chains_of(spec)
        nodes = tuple(Node(node, max(node - chains, ROOT)) for node in range(1, spec.n + 1))
        return State(problem, spec, seed, nodes, ready=tuple(range(1, chains + 1)))

    def ask(self, state: State, limit: int) -> tuple[State, tuple[Move, ...]]:
        taken = _digested(state)
        taken, scores = due(taken, limit, own_solution(taken))
        room = max(limit, 0) - len(scores)
        samples = [_sample(taken, node) for node in taken.ready[:room]]
        if not scores and not samples:
            return state, ()
        return asked(replace(taken, ready=taken.ready[room:]), samples, scores)

    def tell(self, state: State, outcome: Outcome) -> State:
        return recorded(state, outcome, whole=True)

    def verdict(self, state: State) -> Verdict:
        known, spec = _digested(state), state.spec
        sampled = came_back(known.nodes)
        if spec.selection == "majority":
            return by_votes(known.finished, sampled)
        if spec.selection == "hierarchical":
            return _hierarchical(known, sampled)
        if spec.selection == "best":
            return _best(known, sampled)
        return by_verifier(known.finished, sampled, spec.selection, spec.aggregation)


def _digested(state: State) -> State:
    """What came back makes the next turn of its chain ready, and is to be scored. A failed turn uses up its place."""
    if not state.news:
        return state
    chains = chains_of(state.spec)
    turned = (node for node in state.news if state.nodes[node - 1].scoring is ScoreStatus.NONE)
    ready = (node + chains for node in turned if node + chains <= state.spec.n)
    state = replace(state, ready=tuple(sorted((*state.ready, *ready))))
    return replace(state, news=()) if state.spec.selection == "majority" else taken_in(state)[0]


def _sample(state: State, node: int) -> Sample:
    parent = state.nodes[node - 1].parent
    return sample_of(state, node, parent=parent, attempts=attempts_to(state.nodes, parent, state.spec.attempts))


def _best(state: State, sampled: int) -> Verdict:
    """The best of the chains' champions. Only within a chain does its first answer have `margin` on top: the first
    attempts of several chains are independent ones."""
    chains, finished = chains_of(state.spec), state.finished
    ballots = scored_ballots(finished, state.spec.aggregation)
    if not ballots:
        return by_votes(finished, sampled, UNSCORED)
    classes = tally(ballots, finished)
    said = {ballot.node.id: at for at, one in enumerate(classes) for ballot in one.ballots}
    groups = [[one for one in ballots if (one.node.id - first) % chains == 0] for first in range(1, chains + 1)]
    champions = [
        _champion(group, said, first, state.spec.margin) for first, group in enumerate(groups, start=1) if group
    ]
    best = max(champions, key=lambda one: (one.weight, -one.node.id))
    return standing(classes, classes[said[best.node.id]], sampled, BEST, own_text)


def _champion(chain: Sequence[Ballot], said: Mapping[int, int], first: int, margin: float) -> Ballot:
    """`said`: the answer's class, by node; the chain's `first` node may be without one."""

    def worth(one: Ballot) -> float:
        return one.weight + (margin if said[one.node.id] == said.get(first) else 0.0)

    return max(chain, key=lambda one: (worth(one), -one.node.id))


def _hierarchical(state: State, sampled: int) -> Verdict:
    """First the best solution of the best-weighted answer within each chain, then the best-weighted across chains."""
    chains, finished = chains_of(state.spec), state.finished
    champions: list[Ballot] = []
    for chain in range(chains):
        ballots = scored_ballots([node for node in finished if (node.id - 1) % chains == chain], state.spec.aggregation)
        if ballots:
            champions.append(tally(ballots, finished)[0].best)
    if not champions:
        return by_votes(finished, sampled, UNSCORED)
    classes = tally(champions, finished)
    return standing(classes, classes[0], sampled, WITHIN_AND_ACROSS, own_text)
