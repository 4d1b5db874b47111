"""Diverse verifier tree search: independent subtrees, each greedy on the process reward model's score.

A subtree goes on from the best of its own steps and no other's, so that one over-praised step can't take every place;
it has ended when its best step has. (Hugging Face, "Scaling test-time compute with open models".)
"""

from __future__ import annotations

from typing import TypeAlias

from domain.moves import ROOT
from domain.specs.tree import Dvts
from search.contenders import contenders, continuations, ranked, split_evenly
from search.frontier import Expansion, Frontier, next_round
from search.stepwise import Stepwise

State: TypeAlias = Frontier[Dvts]


class DvtsStrategy(Stepwise[Dvts]):
    def first(self, spec: Dvts) -> tuple[Expansion, ...]:
        subtrees = max(1, spec.n // continuations(spec.n, spec.width))
        return tuple(Expansion(ROOT, share, at) for at, share in enumerate(split_evenly(spec.n, subtrees)))

    def plan(self, state: State) -> State | None:
        return _plan(state)


def _plan(state: State) -> State | None:
    found = contenders(state)
    expansions = []
    for before in state.round:
        best = next(iter(ranked(one for one in found if one.branch == before.branch)), None)
        if best is not None and best.open:
            expansions.append(Expansion(best.node.id, before.count, before.branch))
    return next_round(state, tuple(expansions))
