"""Reward balanced search: every step goes on, with a share of the samples that grows with its score (2408.00724).

    samples of step i = B × softmax(score / T)_i      B = n − solutions that are finished

Shares are whole by largest remainder, so that exactly B are sampled at a depth; a step whose share is 0 is pruned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from domain.specs.tree import Rebase
from search.contenders import Contender, contenders, ranked, split_by
from search.frontier import Expansion, Frontier, next_round
from search.stepwise import Stepwise

State: TypeAlias = Frontier[Rebase]


class RebaseStrategy(Stepwise[Rebase]):
    def plan(self, state: State) -> State | None:
        return _plan(state)


def _plan(state: State) -> State | None:
    going = ranked(one for one in contenders(state) if one.open)
    left = state.spec.n - sum(node.finished for node in state.nodes)
    if not going or left <= 0:
        return None
    shares = split_by(_weights(going, state.spec.score_temperature), left)
    return next_round(
        state, tuple(Expansion(one.node.id, share) for one, share in zip(going, shares, strict=True) if share)
    )


def _weights(group: Sequence[Contender], temperature: float) -> list[float]:
    """Softmax before its normalisation, with the best at 1; equal where no step has a score."""
    best = max(one.value or 0.0 for one in group)
    return [math.exp(((one.value or 0.0) - best) / temperature) for one in group]
