"""Independent whole solutions: the state and the moves that self-consistency and best-of-N share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from domain.ids import derive_seed
from domain.moves import Failed, Move, Outcome, Sample, Sampled, Score, Scored
from domain.problem import Problem
from domain.specs.adaptive_voting import AdaptiveVoting
from domain.specs.parallel import BestOfN, SelfConsistency
from search.strategy import UnknownMove
from search.tree import Node, NodeStatus, ScoreStatus, put, with_sample, with_scores

Spec = TypeVar("Spec", SelfConsistency, BestOfN, AdaptiveVoting)


@dataclass(frozen=True, slots=True)
class SamplingState(Generic[Spec]):
    """Node `i` is the i-th solution. Equal contents are equal states, whatever the order of arrival was."""

    problem: Problem
    spec: Spec
    seed: int
    nodes: tuple[Node, ...] = ()
    in_flight: tuple[Move, ...] = ()
    """In the order of their ids' nodes, so that arrival order leaves no mark."""
    unscored: tuple[int, ...] = ()
    """Finished solutions that no score was asked for yet, in order. It saves reading all nodes at each turn."""
    first_temperature: float | None = None
    """Of the first solution; None: that of all."""

    @property
    def sampled(self) -> int:
        """Solutions that came back, finished or not."""
        return sum(node.status is NodeStatus.SAMPLED for node in self.nodes)

    @property
    def finished(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.finished)


def ask_samples(state: SamplingState[Spec], limit: int) -> tuple[SamplingState[Spec], tuple[Move, ...]]:
    """Up to `limit` new solutions, until the spec's `n` have been asked."""
    first = len(state.nodes) + 1
    last = min(state.spec.n, len(state.nodes) + max(limit, 0))
    moves = tuple(_sample(state, node) for node in range(first, last + 1))
    if not moves:
        return state, ()
    nodes = state.nodes + tuple(Node(move.node) for move in moves)
    return replace(state, nodes=nodes, in_flight=_sorted(state.in_flight + moves)), moves


def ask_scores(state: SamplingState[Spec], limit: int) -> tuple[SamplingState[Spec], tuple[Move, ...]]:
    """Up to `limit` scores, of finished solutions that nobody has scored yet."""
    asked, later = state.unscored[: max(limit, 0)], state.unscored[max(limit, 0) :]
    if not asked:
        return state, ()
    moves = tuple(_score(state, state.nodes[node - 1]) for node in asked)
    nodes = state.nodes
    for node in asked:
        nodes = put(nodes, replace(nodes[node - 1], scoring=ScoreStatus.PENDING))
    return replace(state, nodes=nodes, in_flight=_sorted(state.in_flight + moves), unscored=later), moves


def tell_outcome(state: SamplingState[Spec], outcome: Outcome) -> SamplingState[Spec]:
    """Take in what happened to a move in flight."""
    move = next((move for move in state.in_flight if move.id == outcome.move_id), None)
    if move is None:
        raise UnknownMove(outcome.move_id)
    node = _updated(state.nodes[move.node - 1], move, outcome)
    in_flight = tuple(other for other in state.in_flight if other is not move)
    unscored: tuple[int, ...] = state.unscored
    if node.finished and node.scoring is ScoreStatus.NONE:
        unscored = tuple(sorted((*unscored, node.id)))
    return replace(state, nodes=put(state.nodes, node), in_flight=in_flight, unscored=unscored)


def _updated(node: Node, move: Move, outcome: Outcome) -> Node:
    if isinstance(move, Sample) and isinstance(outcome, Sampled | Failed):
        return with_sample(node, outcome)
    if isinstance(move, Score) and isinstance(outcome, Scored | Failed):
        return with_scores(node, outcome)
    raise UnknownMove(f"{type(outcome).__name__} does not answer {move.id}")


def _sample(state: SamplingState[Spec], node: int) -> Sample:
    spec, own = state.spec, state.first_temperature
    return Sample(
        id=f"sample-{node}",
        node=node,
        seed=derive_seed(state.seed, "sample", node),
        max_tokens=spec.max_tokens,
        temperature=own if node == 1 and own is not None else spec.temperature,
        top_p=spec.top_p,
    )


def _score(state: SamplingState[Spec], node: Node) -> Score:
    return Score(
        id=f"score-{node.id}",
        node=node.id,
        seed=derive_seed(state.seed, "score", node.id),
        max_tokens=0,
        solution=node.text,
    )


def _sorted(moves: tuple[Move, ...]) -> tuple[Move, ...]:
    return tuple(sorted(moves, key=lambda move: (move.node, move.id)))
