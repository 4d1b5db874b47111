"""Which whole solutions the verifier is asked about: each finished one, and equal ones once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from domain.ids import derive_seed
from domain.moves import Score
from search.growth import G, Growth
from search.tree import Node, ScoreStatus


def taken_in(state: G) -> tuple[G, list[Node]]:
    """Take the news in, where nodes are whole solutions: a finished one is due for a score, unless an equal one has it.

    Also gives the nodes that nothing more will be learnt of, in order: scored (or their scoring failed), or without a
    solution.
    """
    nodes, due_ids, known = list(state.nodes), list(state.unscored), []
    for node in (nodes[node - 1] for node in state.news):
        if node.finished and node.scoring is ScoreStatus.NONE:
            due_ids.append(node.id)
        else:
            known.append(node)
    for node in (nodes[node - 1] for node in due_ids):
        scores = next(
            (one.scores for one in nodes if one.scoring is ScoreStatus.SCORED and one.text == node.text), None
        )
        if scores is not None:
            nodes[node.id - 1] = replace(node, scoring=ScoreStatus.SCORED, scores=scores)
            known.append(nodes[node.id - 1])
    left = sorted(node for node in due_ids if nodes[node - 1].scoring is ScoreStatus.NONE)
    state = replace(state, nodes=tuple(nodes), news=(), unscored=tuple(left))
    return state, sorted(known, key=lambda node: node.id)


def score_of(state: Growth[Any], node: int, solution: str) -> Score:
    """The move that scores this node, whose solution so far is given."""
    seed = derive_seed(state.seed, "score", node)
    return Score(id=f"score-{node}", node=node, seed=seed, max_tokens=0, solution=solution)


def due(state: G, limit: int, text: Callable[[int], str]) -> tuple[G, list[Score]]:
    """Up to `limit` scores that are due, and the state without them; `text` gives the solution that ends at a node.

    What equals a text that is being scored waits for that score.
    """
    asked_for = {move.solution for move in state.in_flight if isinstance(move, Score)}
    now: list[Score] = []
    for node in state.unscored:
        solution = text(node)
        if len(now) < limit and solution not in asked_for:
            asked_for.add(solution)
            now.append(score_of(state, node, solution))
    taken = {move.node for move in now}
    return replace(state, unscored=tuple(node for node in state.unscored if node not in taken)), now


def own_solution(state: Growth[Any]) -> Callable[[int], str]:
    """Where each node is a whole solution, the solution that ends at it is its own text."""
    return lambda node: state.nodes[node - 1].text
