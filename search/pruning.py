"""Which steps a search has given up: those that could go on, and that its present round does not build on.

Only for strategies that plan in rounds of steps, where a step that is passed over never comes back. Elsewhere (trees by
Monte Carlo, revisions, whole solutions) nothing is given up before the end.
"""

from __future__ import annotations

from typing import Any

from domain.moves import ROOT
from search.frontier import Frontier, open_step, step_of


def pruned(state: Any) -> frozenset[int]:
    """Nodes given up so far, at any time. A twin of a step that goes on is not given up."""
    if not isinstance(state, Frontier):
        return frozenset()
    alive: set[int] = set()
    for expansion in state.round:
        node = expansion.parent
        while node != ROOT and node not in alive:
            alive.add(node)
            node = state.nodes[node - 1].parent
    kept = {step_of(state.nodes[node - 1]) for node in alive}
    earlier = state.nodes[: state.first - 1]
    return frozenset(node.id for node in earlier if open_step(node) and step_of(node) not in kept)
