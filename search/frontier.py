"""Rounds of single steps: the state and the moves that beam search, lookahead, DVTS and REBASE share.

Law: a round's successor is planned when all that the round asked for has come back, from its nodes in the order of
their ids, so that arrival order leaves no mark. Only a step that ended at the separator is ever extended.

Twins (equal steps under one parent, whichever branches sampled them) share one scoring: the verifier is asked once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, TypeVar

from domain.ids import derive_seed
from domain.moves import ROOT, STEP_SEPARATOR, Failed, FinishReason, Move, Outcome, Sample, Sampled, Score, Scored
from domain.problem import Problem
from domain.specs.tree import StepSearch
from search.strategy import UnknownMove
from search.tree import Node, NodeStatus, ScoreStatus, with_sample, with_scores

Spec = TypeVar("Spec", bound=StepSearch)


@dataclass(frozen=True, slots=True)
class Expansion:
    """`count` next steps after node `parent`."""

    parent: int
    count: int
    branch: int = 0
    """Which of a strategy's independent searches they belong to."""
    greedy: bool = False
    """Rolled out at temperature 0, to score what comes before it; never a candidate itself."""


@dataclass(frozen=True, slots=True)
class Frontier(Generic[Spec]):
    """Node `i` is the i-th sampled step. Texts of whole paths are not kept but read along the parents."""

    problem: Problem
    spec: Spec
    seed: int
    round: tuple[Expansion, ...]
    """This round's plan; its nodes are asked in this order."""
    first: int = 1
    """Id of the round's first node."""
    depth: int = 1
    """Steps of a solution that ends in this round."""
    looks: int = 0
    """Steps of look-ahead that this round has planned."""
    held: tuple[Expansion, ...] = ()
    """What the round will sample, or take for granted, once its first samples are back (`search.scouting`)."""
    nodes: tuple[Node, ...] = ()
    in_flight: tuple[Move, ...] = ()
    """In the order of their ids' nodes."""
    unscored: tuple[int, ...] = ()
    """The earliest of each group of twins that a score is yet to be asked for, in order."""


def ask(
    state: Frontier[Spec], limit: int, plan: Callable[[Frontier[Spec]], Frontier[Spec] | None]
) -> tuple[Frontier[Spec], tuple[Move, ...]]:
    """Up to `limit` moves, scores first. `plan` gives the state with more to do once a round is over, or None."""
    asked = state
    while limit > 0 and _idle(asked):
        planned = plan(asked)
        if planned is None:
            return state, ()
        asked = planned
    asked, scores = _ask_scores(asked, limit)
    asked, samples = _ask_samples(asked, limit - len(scores))
    return (asked, scores + samples) if scores or samples else (state, ())


def tell(state: Frontier[Spec], outcome: Outcome, ready: Callable[[Frontier[Spec], Node], bool]) -> Frontier[Spec]:
    """Take in what happened to a move in flight. `ready` says whether a new step is to be scored at once."""
    move = next((move for move in state.in_flight if move.id == outcome.move_id), None)
    if move is None:
        raise UnknownMove(outcome.move_id)
    state = replace(state, in_flight=tuple(other for other in state.in_flight if other is not move))
    node = state.nodes[move.node - 1]
    if isinstance(move, Sample) and isinstance(outcome, Sampled | Failed):
        return _sampled(state, with_sample(node, outcome), ready)
    if isinstance(move, Score) and isinstance(outcome, Scored | Failed):
        return _scored(state, node, outcome)
    raise UnknownMove(f"{type(outcome).__name__} does not answer {move.id}")


def next_round(state: Frontier[Spec], expansions: tuple[Expansion, ...]) -> Frontier[Spec] | None:
    """The next step of these beams; None when there is none, or when solutions have got as long as they may."""
    if not expansions or state.depth >= state.spec.max_steps:
        return None
    return replace(state, round=expansions, first=len(state.nodes) + 1, depth=state.depth + 1, looks=0, unscored=())


def open_step(node: Node) -> bool:
    """Whether it may be continued. After a blank step the policy would be asked the same again."""
    return node.status is NodeStatus.SAMPLED and node.finish is FinishReason.STOP and bool(node.text.strip())


def step_of(node: Node) -> tuple[object, ...]:
    """What twins have in common."""
    return node.parent, node.status, node.finish, node.text, node.answer


def round_nodes(state: Frontier[Spec]) -> tuple[Node, ...]:
    """What this round has asked for so far."""
    return state.nodes[state.first - 1 :]


def places(state: Frontier[Spec]) -> Iterator[Expansion]:
    """The expansion that each node of the round belongs to, in order of the nodes."""
    return (expansion for expansion in state.round for _ in range(expansion.count))


def path(nodes: tuple[Node, ...], node: int) -> tuple[str, ...]:
    """The steps from the root to this node."""
    steps: list[str] = []
    while node != ROOT:
        steps.append(nodes[node - 1].text)
        node = nodes[node - 1].parent
    return tuple(reversed(steps))


def solution(nodes: tuple[Node, ...], node: int) -> str:
    """The text that ends with this node's step."""
    return STEP_SEPARATOR.join(path(nodes, node))


def tip(state: Frontier[Spec], node: Node) -> Node:
    """The last whole step of the look-ahead that was rolled out after `node`; the node itself without any."""
    for later, place in zip(round_nodes(state), places(state), strict=False):
        if place.greedy and later.parent == node.id and (open_step(later) or later.finish is FinishReason.END):
            node = later
    return node


def with_known_scores(state: Frontier[Spec], node: Node, scores: tuple[float, ...]) -> Frontier[Spec]:
    """The state in which this step, and its twins, have scores that need not be asked for."""
    known = (replace(twin, scoring=ScoreStatus.SCORED, scores=scores) for twin in _twins(state, node))
    return replace(state, nodes=_put(state.nodes, known))


def _idle(state: Frontier[Spec]) -> bool:
    return not state.in_flight and not state.unscored and len(round_nodes(state)) == _size(state)


def _size(state: Frontier[Spec]) -> int:
    return sum(expansion.count for expansion in state.round)


def _ask_scores(state: Frontier[Spec], limit: int) -> tuple[Frontier[Spec], tuple[Move, ...]]:
    asked, later = state.unscored[: max(limit, 0)], state.unscored[max(limit, 0) :]
    if not asked:
        return state, ()
    moves = tuple(_score(state, state.nodes[node - 1]) for node in asked)
    pending = [twin for node in asked for twin in _twins(state, state.nodes[node - 1])]
    nodes = _put(state.nodes, (replace(node, scoring=ScoreStatus.PENDING) for node in pending))
    return replace(state, nodes=nodes, in_flight=_sorted(state.in_flight + moves), unscored=later), moves


def _ask_samples(state: Frontier[Spec], limit: int) -> tuple[Frontier[Spec], tuple[Move, ...]]:
    begun = len(round_nodes(state))
    places_left = islice(places(state), begun, begun + max(limit, 0))
    moves = tuple(_sample(state, node, place) for node, place in enumerate(places_left, len(state.nodes) + 1))
    if not moves:
        return state, ()
    nodes = state.nodes + tuple(Node(move.node, move.parent) for move in moves)
    return replace(state, nodes=nodes, in_flight=_sorted(state.in_flight + moves)), moves


def _sample(state: Frontier[Spec], node: int, place: Expansion) -> Sample:
    spec = state.spec
    return Sample(
        id=f"sample-{node}",
        node=node,
        seed=derive_seed(state.seed, "sample", node),
        max_tokens=spec.max_tokens,
        parent=place.parent,
        prefix="".join(step + STEP_SEPARATOR for step in path(state.nodes, place.parent)),
        stop=(STEP_SEPARATOR,),
        temperature=0.0 if place.greedy else spec.temperature,
        top_p=spec.top_p,
    )


def _score(state: Frontier[Spec], node: Node) -> Score:
    """Its seed is fixed by the text, since which of its twins came first is chance."""
    text = solution(state.nodes, tip(state, node).id)
    seed = derive_seed(state.seed, "score", node.parent, str(node.finish), text)
    return Score(id=f"score-{node.id}", node=node.id, seed=seed, max_tokens=0, solution=text)


def _sampled(state: Frontier[Spec], node: Node, ready: Callable[[Frontier[Spec], Node], bool]) -> Frontier[Spec]:
    twins = _twins(state, node)
    if twins:
        node = replace(node, text=twins[0].text, scoring=twins[0].scoring, scores=twins[0].scores)
    unscored = state.unscored
    if node.scoring is ScoreStatus.NONE and ready(state, node):
        group = {node.id, *(twin.id for twin in twins)}
        unscored = tuple(sorted((set(unscored) - group) | {min(group)}))
    return replace(state, nodes=_put(state.nodes, (node,)), unscored=unscored)


def _scored(state: Frontier[Spec], node: Node, outcome: Scored | Failed) -> Frontier[Spec]:
    """A look-ahead that ended in an answer is a solution of its own, and was read to its end."""
    known = [with_scores(twin, outcome) for twin in _twins(state, node)]
    end = tip(state, node)
    if end.id != node.id and end.finished:
        known.append(with_scores(end, outcome))
    return replace(state, nodes=_put(state.nodes, known))


def _twins(state: Frontier[Spec], node: Node) -> list[Node]:
    """The round's nodes with the same step (this node too, once its text is in the state)."""
    same = step_of(node)
    return [other for other in round_nodes(state) if other.text == node.text and step_of(other) == same]


def _put(nodes: tuple[Node, ...], changed: Iterable[Node]) -> tuple[Node, ...]:
    updated = list(nodes)
    for node in changed:
        updated[node.id - 1] = node
    return tuple(updated)


def _sorted(moves: tuple[Move, ...]) -> tuple[Move, ...]:
    return tuple(sorted(moves, key=lambda move: (move.node, move.id)))
