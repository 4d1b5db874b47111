"""The verdict over the finished solutions of a tree: best-of-N, each sample a ballot with its solution's score."""

from __future__ import annotations

from domain.verdict import Verdict
from search.choosing import by_verifier
from search.contenders import ended
from search.frontier import Frontier, Spec, solution


def pool_verdict(state: Frontier[Spec]) -> Verdict:
    """By the spec's `selection`; by plain votes while nothing is scored. Unscored solutions have no weight."""
    pool, spec = [node for node in state.nodes if node.finished], state.spec
    return by_verifier(
        pool, ended(state), spec.selection, spec.aggregation, lambda node: solution(state.nodes, node.id)
    )
