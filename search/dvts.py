"""Diverse verifier tree search: independent subtrees, each greedy on the process reward model's score.

A subtree goes on from the best of its own steps and no other's, so that one over-praised step can't take every place;
it has ended when its best step has. (Hugging Face, "Scaling test-time compute with open models".)
"""

from __future__ import annotations

from typing import TypeAlias

from domain.moves import ROOT, Move, Outcome
from domain.problem import Problem
from domain.specs.tree import Dvts
from domain.verdict import Verdict
from search.beam import leads_on
from search.contenders import contenders, continuations, ranked, split_evenly
from search.frontier import Expansion, Frontier, ask, next_round, tell
from search.pool import pool_verdict

State: TypeAlias = Frontier[Dvts]


class DvtsStrategy:
    def start(self, problem: Problem, spec: Dvts, seed: int) -> State:
        subtrees = max(1, spec.n // continuations(spec.n, spec.width))
        shares = split_evenly(spec.n, subtrees)
        return Frontier(problem, spec, seed, tuple(Expansion(ROOT, share, at) for at, share in enumerate(shares)))

    def ask(self, state: State, limit: int) -> tuple[State, tuple[Move, ...]]:
        return ask(state, limit, _plan)

    def tell(self, state: State, outcome: Outcome) -> State:
        return tell(state, outcome, leads_on)

    def verdict(self, state: State) -> Verdict:
        return pool_verdict(state)


def _plan(state: State) -> State | None:
    found = contenders(state)
    expansions = []
    for before in state.round:
        best = next(iter(ranked(one for one in found if one.branch == before.branch)), None)
        if best is not None and best.open:
            expansions.append(Expansion(best.node.id, before.count, before.branch))
    return next_round(state, tuple(expansions))
