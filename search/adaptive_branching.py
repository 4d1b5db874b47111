"""Adaptive branching: wider or deeper, decided at each node by Thompson sampling (AB-MCTS-A, 2503.04412).

A node's own score and all scores from below it tell how good it is to be there (`own`). At a node, the scores of its
direct children tell what a new child is worth (`new`), and those from deeper what going on is worth (`deeper`). A
solution without a score tells nothing and has no children.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from domain.moves import ROOT, Move, Outcome, Sample
from domain.problem import Problem
from domain.specs.stochastic import AdaptiveBranching
from domain.verdict import Verdict
from search.choosing import by_verifier, value_of
from search.draws import stream
from search.growth import Growth, asked, attempts_to, came_back, recorded, sample_of
from search.posteriors import NOTHING_SEEN, Observed, drawn_mean
from search.scoring import due, own_solution, taken_in
from search.tree import Node


@dataclass(frozen=True, slots=True)
class Place:
    """What is known at one node; only a scored node is a child."""

    own: Observed = NOTHING_SEEN
    new: Observed = NOTHING_SEEN
    deeper: Observed = NOTHING_SEEN
    children: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class State(Growth[AdaptiveBranching]):
    places: tuple[Place, ...] = (Place(),)
    """Place `i` belongs to node `i`; the first one to the root."""


class AdaptiveBranchingStrategy:
    """Scores each solution as soon as it is there, and decides again as soon as a score is."""

    def start(self, problem: Problem, spec: AdaptiveBranching, seed: int) -> State:
        return State(problem, spec, seed)

    def ask(self, state: State, limit: int) -> tuple[State, tuple[Move, ...]]:
        taken = _digested(state)
        taken, scores = due(taken, limit, own_solution(taken))
        open_ = len(taken.in_flight) + len(taken.unscored) + len(scores)
        first = len(taken.nodes) + 1
        room = min(limit - len(scores), taken.spec.parallel - open_, taken.spec.n - len(taken.nodes))
        samples = [_sample(taken, node) for node in range(first, first + max(room, 0))]
        if not scores and not samples:
            return state, ()
        places = taken.places + (Place(),) * len(samples)
        return asked(replace(taken, places=places), samples, scores)

    def tell(self, state: State, outcome: Outcome) -> State:
        return recorded(state, outcome, whole=True)

    def verdict(self, state: State) -> Verdict:
        known, spec = _digested(state), state.spec
        return by_verifier(known.finished, came_back(known.nodes), spec.selection, spec.aggregation)


def _digested(state: State) -> State:
    if not state.news:
        return state
    state, known = taken_in(state)
    places = list(state.places)
    for node in known:
        value = value_of(node, state.spec.aggregation)
        if value is not None:
            _back_up(places, state.nodes, node, value)
    return replace(state, places=tuple(places))


def _back_up(places: list[Place], nodes: tuple[Node, ...], node: Node, value: float) -> None:
    """Tell a new child's score to its parent and to all above."""
    above = places[node.parent]
    places[node.id] = replace(places[node.id], own=places[node.id].own.told(value))
    places[node.parent] = replace(above, new=above.new.told(value), children=(*above.children, node.id))
    at = node.parent
    while at != ROOT:
        parent = nodes[at - 1].parent
        places[at] = replace(places[at], own=places[at].own.told(value))
        places[parent] = replace(places[parent], deeper=places[parent].deeper.told(value))
        at = parent


def _sample(state: State, node: int) -> Sample:
    parent = _chosen_parent(state, node)
    return sample_of(state, node, parent=parent, attempts=attempts_to(state.nodes, parent, state.spec.attempts))


def _chosen_parent(state: State, node: int) -> int:
    """Down from the root until a new child is drawn to be worth more than what is there."""
    uniforms, prior, at = stream(state.seed, "branch", node), state.spec.prior, ROOT
    while True:
        place = state.places[at]
        if not place.children:
            return at
        if drawn_mean(prior, place.new, uniforms) >= drawn_mean(prior, place.deeper, uniforms):
            return at
        at = max(place.children, key=lambda child: drawn_mean(prior, state.places[child].own, uniforms))
