"""Monte-Carlo tree search over steps, with a process reward model for values.

A simulation goes down by PUCT to a beginning that may be given one more sample, has the rest of the solution sampled in
one call and the whole scored in one more: the score of each step is the value of that beginning, and the whole
solution's is backed up to the top. So `n` simulations are `n` solutions, at the price of best-of-N or less.

All finished solutions vote in the end, weighted by their scores: never only the most visited branch. A cut text or one
without an answer is worth 0, since it leads to nothing; a failed call is worth nothing known. Equal solutions are
scored once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from domain.moves import ROOT, STEP_SEPARATOR, Move, Outcome, Sample, split_steps
from domain.problem import Problem
from domain.specs.stochastic import Mcts
from domain.verdict import Verdict
from search.choosing import by_verifier, value_of
from search.growth import Growth, asked, came_back, recorded, sample_of
from search.puct import (
    EMPTY_TREE,
    TOP,
    Place,
    backed_up,
    best_child,
    give_up,
    inserted,
    set_out,
    steps_to,
    wants_sample,
    way_up,
)
from search.scoring import due, own_solution
from search.tree import Node, NodeStatus, ScoreStatus


@dataclass(frozen=True, slots=True)
class State(Growth[Mcts]):
    """Nodes are whole solutions; places are their steps."""

    places: tuple[Place, ...] = EMPTY_TREE
    starts: tuple[int, ...] = ()
    """The place that each node was sampled from."""
    ends: tuple[int, ...] = ()
    """The place where each node's solution ends; `TOP` while it has not ended."""


class MctsStrategy:
    """Scores each new solution as soon as it is there, and goes down again as soon as a score is."""

    def start(self, problem: Problem, spec: Mcts, seed: int) -> State:
        return State(problem, spec, seed)

    def ask(self, state: State, limit: int) -> tuple[State, tuple[Move, ...]]:
        taken = _digested(state)
        taken, scores = due(taken, limit, own_solution(taken))
        room = min(limit - len(scores), taken.spec.parallel - taken.places[TOP].open, taken.spec.n - len(taken.nodes))
        if room <= 0 and not scores:
            return state, ()
        places, first = list(taken.places), len(taken.nodes) + 1
        starts = [_chosen(taken.spec, places) for _ in range(room)]
        samples = [_sample(taken, places, node, start) for node, start in enumerate(starts, first)]
        taken = replace(
            taken,
            places=tuple(places),
            starts=(*taken.starts, *starts),
            ends=taken.ends + (TOP,) * len(starts),
        )
        return asked(taken, samples, scores)

    def tell(self, state: State, outcome: Outcome) -> State:
        return recorded(state, outcome, whole=True)

    def verdict(self, state: State) -> Verdict:
        known, spec = _digested(state), state.spec
        return by_verifier(known.finished, came_back(known.nodes), spec.selection, spec.aggregation)


def _chosen(spec: Mcts, places: list[Place]) -> int:
    """Go down to where the next sample is to start, and set out from there."""
    at = TOP
    while not wants_sample(places[at], spec.width, spec.widening):
        below = [child for child in places[at].children if places[child].visits and not places[child].solutions]
        if not below:
            break
        at = best_child(places, at, below, spec.explore)
    set_out(places, at)
    return at


def _sample(state: State, places: list[Place], node: int, start: int) -> Sample:
    parent = ROOT if start == TOP else places[start].node
    return sample_of(
        state, node, parent=parent, prefix="".join(step + STEP_SEPARATOR for step in steps_to(places, start))
    )


def _digested(state: State) -> State:
    """Take in what has come, in the order of the nodes."""
    if not state.news:
        return state
    nodes, places, ends = list(state.nodes), list(state.places), list(state.ends)
    unscored = list(state.unscored)
    for node in (nodes[node - 1] for node in state.news):
        start = state.starts[node.id - 1]
        if node.scoring is not ScoreStatus.NONE:
            _take_score(state, nodes, places, ends[node.id - 1])
        elif node.finished:
            steps = split_steps(node.text)[len(way_up(places, start)) - 1 :]
            ends[node.id - 1] = inserted(places, start, steps or (node.text,), node.id)
            unscored += _take_solution(state, nodes, places, ends[node.id - 1], node)
        else:
            give_up(places, start)
            if node.status is NodeStatus.SAMPLED:
                backed_up(places, start, 0.0, ())
    return replace(
        state,
        nodes=tuple(nodes),
        places=tuple(places),
        ends=tuple(ends),
        news=(),
        unscored=tuple(sorted(unscored)),
    )


def _take_solution(state: State, nodes: list[Node], places: list[Place], end: int, node: Node) -> list[int]:
    """A new solution is to be scored; one that is known already shares the score of the first."""
    first = nodes[places[end].solutions[0] - 1]
    if first.id == node.id:
        return [node.id]
    nodes[node.id - 1] = replace(node, scoring=first.scoring, scores=first.scores)
    if places[end].visits:  # the first one's score was taken in before
        give_up(places, state.starts[node.id - 1])
        backed_up(places, end, value_of(first, state.spec.aggregation), first.scores)
    return []


def _take_score(state: State, nodes: list[Node], places: list[Place], end: int) -> None:
    """The simulations of all solutions that end here are over."""
    first = nodes[places[end].solutions[0] - 1]
    for node in places[end].solutions:
        nodes[node - 1] = replace(nodes[node - 1], scoring=first.scoring, scores=first.scores)
        give_up(places, state.starts[node - 1])
        backed_up(places, end, value_of(first, state.spec.aggregation), first.scores)
