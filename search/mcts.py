"""Monte-Carlo tree search over steps, with a process reward model in the place of rollouts.

A simulation goes down by PUCT to a node that may be given one more sample, samples one step there, has it scored and
backs the score up. A finished solution is a leaf that nothing goes below. All finished ones vote in the end, weighted
by their scores: never only the most visited branch.

A step that was sampled before is a twin: its score is known, and it raises the step's prior. A cut text or one without
an answer is worth 0, since it leads to nothing; a failed call is worth nothing known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from domain.moves import ROOT, STEP_SEPARATOR, FinishReason, Move, Outcome, Sample
from domain.problem import Problem
from domain.specs.stochastic import Mcts
from domain.verdict import Verdict
from search.choosing import by_verifier, value_of
from search.frontier import open_step, path
from search.growth import Growth, asked, due, recorded, sample_of
from search.puct import Place, best_child, come_back, set_out, visited, wants_sample, way_up
from search.tree import Node, NodeStatus, ScoreStatus


@dataclass(frozen=True, slots=True)
class State(Growth[Mcts]):
    places: tuple[Place, ...] = (Place(),)
    """Place `i` belongs to node `i`; the first one to the root."""


class MctsStrategy:
    """Scores each new step as soon as it is there, and goes down again as soon as a score is."""

    def start(self, problem: Problem, spec: Mcts, seed: int) -> State:
        return State(problem, spec, seed)

    def ask(self, state: State, limit: int) -> tuple[State, tuple[Move, ...]]:
        taken = _digested(state)
        taken, scores = due(taken, limit, _solution_in(taken))
        room = min(limit - len(scores), taken.spec.parallel - taken.places[ROOT].open, taken.spec.n - len(taken.nodes))
        places, first = list(taken.places), len(taken.nodes) + 1
        samples = [_simulated(taken, places, node) for node in range(first, first + max(room, 0))]
        if not scores and not samples:
            return state, ()
        return asked(replace(taken, places=tuple(places)), samples, scores)

    def tell(self, state: State, outcome: Outcome) -> State:
        return recorded(state, outcome, whole=False)

    def verdict(self, state: State) -> Verdict:
        spec, nodes = state.spec, state.nodes
        ended = sum(node.status is NodeStatus.SAMPLED and node.finish is not FinishReason.STOP for node in nodes)
        whole = _solution_in(state)
        return by_verifier(state.finished, ended, spec.selection, spec.aggregation, lambda node: whole(node.id))


def _solution_in(state: State) -> Callable[[int], str]:
    return lambda node: STEP_SEPARATOR.join(path(state.nodes, node))


def _simulated(state: State, places: list[Place], node: int) -> Sample:
    """Go down and set out; the places are updated."""
    at = _chosen(state, places)
    set_out(places, state.nodes, at)
    places.append(Place())
    prefix = "".join(step + STEP_SEPARATOR for step in path(state.nodes, at))
    return sample_of(state, node, parent=at, prefix=prefix, stop=(STEP_SEPARATOR,))


def _chosen(state: State, places: list[Place]) -> int:
    spec, at, depth = state.spec, ROOT, 0
    while not wants_sample(places[at], spec.width, spec.widening):
        below = [child for child in places[at].children if _goes_on(state.nodes[child - 1])]
        if not below or depth + 1 >= spec.max_steps:
            return at
        at, depth = best_child(places, at, below, spec.explore), depth + 1
    return at


def _goes_on(node: Node) -> bool:
    """Whether a simulation may go below it: the verifier was asked about it, and its solution is not finished."""
    return open_step(node) and node.scoring in (ScoreStatus.SCORED, ScoreStatus.FAILED)


def _digested(state: State) -> State:
    """Take in what has come, in the order of the nodes."""
    if not state.news:
        return state
    nodes, places, unscored = list(state.nodes), list(state.places), list(state.unscored)
    for node in (nodes[node - 1] for node in state.news):
        if node.scoring is ScoreStatus.NONE:
            _take_sample(state.spec, nodes, places, unscored, node)
        else:
            _take_score(state.spec, nodes, places, node)
    return replace(state, nodes=tuple(nodes), places=tuple(places), news=(), unscored=tuple(sorted(unscored)))


def _take_sample(spec: Mcts, nodes: list[Node], places: list[Place], unscored: list[int], node: Node) -> None:
    """A new step is to be scored, and its simulation goes on until it is; any other simulation is over."""
    if node.status is NodeStatus.FAILED:
        come_back(places, nodes, node.parent, None)
    elif not _of_use(spec, nodes, node):
        come_back(places, nodes, node.parent, 0.0)
    elif (twin := _twin(nodes, places, node)) is not None:
        value = value_of(nodes[twin - 1], spec.aggregation)
        nodes[node.id - 1] = replace(node, scoring=nodes[twin - 1].scoring, scores=nodes[twin - 1].scores)
        places[twin] = visited(replace(places[twin], twins=(*places[twin].twins, node.id)), value)
        come_back(places, nodes, node.parent, value)
    else:
        parent = places[node.parent]
        places[node.parent] = replace(parent, children=(*parent.children, node.id))
        unscored.append(node.id)


def _take_score(spec: Mcts, nodes: list[Node], places: list[Place], node: Node) -> None:
    for twin in places[node.id].twins:
        nodes[twin - 1] = replace(nodes[twin - 1], scoring=node.scoring, scores=node.scores)
    value = value_of(node, spec.aggregation)
    places[node.id] = visited(places[node.id], value)
    come_back(places, nodes, node.parent, value)


def _of_use(spec: Mcts, nodes: list[Node], node: Node) -> bool:
    """Finished, or a step that may go on within the limit of steps."""
    return node.finished or (open_step(node) and len(way_up(nodes, node.parent)) < spec.max_steps)


def _twin(nodes: list[Node], places: list[Place], node: Node) -> int | None:
    siblings = (nodes[child - 1] for child in places[node.parent].children)
    return next((one.id for one in siblings if (one.text, one.finish) == (node.text, node.finish)), None)
