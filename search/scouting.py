"""Steps that the policy is nearly sure of are not sampled again.

Where a step is to be sampled several times, the first sample goes ahead. If the policy gave it at least the probability
`certain`, the others are taken to be equal to it and cost nothing; else they are sampled as ever.

Law: what is taken for granted is decided when all first samples of the round are back, from their log-probabilities, so
that arrival order leaves no mark. A failed, cut or unmeasured sample is never taken for the others.
"""

from __future__ import annotations

import math
from dataclasses import replace

from domain.moves import FinishReason, Sample
from search.frontier import Frontier, Spec, places, round_nodes
from search.tree import Node, NodeStatus


def scouted(state: Frontier[Spec]) -> Frontier[Spec]:
    """A round that nothing was asked of yet, with one sample for each of its expansions."""
    if state.spec.certain >= 1.0:
        return state
    held = tuple(replace(one, count=one.count - 1) for one in state.round if one.count > 1)
    return replace(state, round=tuple(replace(one, count=1) for one in state.round), held=held)


def with_rest(state: Frontier[Spec]) -> Frontier[Spec]:
    """The state with the round's other samples, once the first ones are back; before that as it is."""
    if not state.held or any(isinstance(move, Sample) for move in state.in_flight):
        return state
    if len(round_nodes(state)) < len(state.round):
        return state
    scouts = {(place.parent, place.branch): node for node, place in zip(round_nodes(state), places(state), strict=True)}
    sure = [one for one in state.held if _is_sure(scouts[one.parent, one.branch], state.spec.certain)]
    open_ = [one for one in state.held if not _is_sure(scouts[one.parent, one.branch], state.spec.certain)]
    nodes = list(state.nodes)
    for one in sure:
        scout = scouts[one.parent, one.branch]
        nodes += [replace(scout, id=len(nodes) + at, tokens=0) for at in range(1, one.count + 1)]
    return replace(state, nodes=tuple(nodes), round=(*state.round, *sure, *open_), held=())


def _is_sure(scout: Node, certain: float) -> bool:
    if scout.status is not NodeStatus.SAMPLED or scout.finish is FinishReason.LENGTH or scout.logprob is None:
        return False
    return scout.logprob >= math.log(certain)
