"""Solutions and steps that grow from one another: what the sequential and the stochastic strategies share.

Law: `tell` only records. `ask` takes the news in, in the order of their nodes, and then decides; when it has nothing to
ask it gives back the very state that it was given. So the order of arrival leaves no mark, not even in sums of floats.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from domain.ids import derive_seed
from domain.moves import ROOT, Failed, Move, Outcome, Sample, Sampled, Score, Scored
from domain.problem import Problem
from search.strategy import UnknownMove
from search.tree import Node, NodeStatus, ScoreStatus, put, with_sample, with_scores


class SamplingSpec(Protocol):
    """The parameters of every spec whose policy is sampled."""

    @property
    def temperature(self) -> float: ...
    @property
    def top_p(self) -> float: ...
    @property
    def max_tokens(self) -> int: ...


Spec = TypeVar("Spec", bound=SamplingSpec)


@dataclass(frozen=True, slots=True)
class Growth(Generic[Spec]):
    """A strategy's state extends this by what it knows beyond the nodes. Node `i` is the i-th of `nodes`, from 1."""

    problem: Problem
    spec: Spec
    seed: int
    nodes: tuple[Node, ...] = ()
    in_flight: tuple[Move, ...] = ()
    """In the order of their nodes."""
    news: tuple[int, ...] = ()
    """Nodes whose sampling or scoring has ended since moves were last asked, ascending."""
    unscored: tuple[int, ...] = ()
    """Nodes that are to be scored and that no score was asked for yet, ascending."""

    @property
    def finished(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.finished)


G = TypeVar("G", bound=Growth[Any])


def recorded(state: G, outcome: Outcome, *, whole: bool) -> G:
    """The state after an outcome. With `whole` a node's text is the whole solution, else what was sampled for it."""
    move = next((move for move in state.in_flight if move.id == outcome.move_id), None)
    if move is None:
        raise UnknownMove(outcome.move_id)
    node = _after(state.nodes[move.node - 1], move, outcome, whole)
    news = list(state.news)
    insort(news, node.id)
    in_flight = tuple(other for other in state.in_flight if other is not move)
    return replace(state, nodes=put(state.nodes, node), in_flight=in_flight, news=tuple(news))


def _after(node: Node, move: Move, outcome: Outcome, whole: bool) -> Node:
    if isinstance(move, Score) and isinstance(outcome, Scored | Failed):
        return with_scores(node, outcome)
    if isinstance(move, Sample) and isinstance(outcome, Sampled | Failed):
        sampled = with_sample(node, outcome)
        return replace(sampled, text=move.prefix + sampled.text) if whole and move.prefix else sampled
    raise UnknownMove(f"{type(outcome).__name__} does not answer {move.id}")


def asked(state: G, samples: Sequence[Sample], scores: Sequence[Score]) -> tuple[G, tuple[Move, ...]]:
    """The state with these moves in flight. Samples of nodes that are not there yet bring them, in order."""
    nodes = list(state.nodes)
    for sample in samples:
        if sample.node > len(nodes):
            nodes.append(Node(sample.node, sample.parent))
    for score in scores:
        nodes[score.node - 1] = replace(nodes[score.node - 1], scoring=ScoreStatus.PENDING)
    moves: tuple[Move, ...] = (*scores, *samples)
    in_flight = tuple(sorted((*state.in_flight, *moves), key=lambda move: (move.node, move.id)))
    return replace(state, nodes=tuple(nodes), in_flight=in_flight), moves


def sample_of(
    state: Growth[Any],
    node: int,
    *,
    parent: int = ROOT,
    prefix: str = "",
    attempts: tuple[str, ...] = (),
    stop: tuple[str, ...] = (),
) -> Sample:
    """The move that samples this node."""
    spec: SamplingSpec = state.spec
    return Sample(
        id=f"sample-{node}",
        node=node,
        seed=derive_seed(state.seed, "sample", node),
        max_tokens=spec.max_tokens,
        parent=parent,
        prefix=prefix,
        stop=stop,
        temperature=spec.temperature,
        top_p=spec.top_p,
        attempts=attempts,
    )


def attempts_to(nodes: Sequence[Node], node: int, most: int) -> tuple[str, ...]:
    """The latest `most` different finished solutions on the way to this node, oldest first, where each is a whole one.

    Truncated ones are left out, since a reviser has learnt from whole attempts only.
    """
    latest: list[str] = []
    while node != ROOT and len(latest) < most:
        one = nodes[node - 1]
        if one.finished and one.text not in latest:
            latest.append(one.text)
        node = one.parent
    return tuple(reversed(latest))


def came_back(nodes: Sequence[Node]) -> int:
    """Samples that came back, finished or not."""
    return sum(node.status is NodeStatus.SAMPLED for node in nodes)
