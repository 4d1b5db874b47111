"""Lookahead search: beam search whose steps are scored by where they lead (2408.03314, section 5.2).

Each distinct unfinished step is continued greedily for k steps, and the verifier reads the text up to there. A
look-ahead ends where the policy ends; its solution then counts as a finished one, and nothing is asked beyond it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from domain.moves import ROOT, Move, Outcome
from domain.problem import Problem
from domain.specs.tree import Lookahead
from domain.verdict import Verdict
from search.beam import beams
from search.contenders import contenders
from search.frontier import Expansion, Frontier, ask, next_round, open_step, tell, tip
from search.pool import pool_verdict
from search.tree import Node, ScoreStatus

State: TypeAlias = Frontier[Lookahead]


class LookaheadStrategy:
    def start(self, problem: Problem, spec: Lookahead, seed: int) -> State:
        return Frontier(problem, spec, seed, (Expansion(ROOT, spec.n),))

    def ask(self, state: State, limit: int) -> tuple[State, tuple[Move, ...]]:
        return ask(state, limit, _plan)

    def tell(self, state: State, outcome: Outcome) -> State:
        return tell(state, outcome, _ends_here)

    def verdict(self, state: State) -> Verdict:
        return pool_verdict(state)


def _ends_here(state: State, node: Node) -> bool:
    """A sampled solution has no look-ahead to wait for; one at the end of a look-ahead is scored with its step."""
    return node.finished and state.looks == 0


def _plan(state: State) -> State | None:
    """Roll out, then score, then choose. Steps of the last round need neither: they can't go on."""
    if state.depth < state.spec.max_steps:
        waiting = [one.node for one in contenders(state) if one.open and one.node.scoring is ScoreStatus.NONE]
        ahead = _look_further(state, waiting)
        if ahead:
            return replace(state, looks=state.looks + 1, round=state.round + ahead)
        if waiting:
            return replace(state, unscored=tuple(node.id for node in waiting))
    return next_round(state, beams(state))


def _look_further(state: State, waiting: list[Node]) -> tuple[Expansion, ...]:
    if state.looks == state.spec.lookahead:
        return ()
    tips = (tip(state, node) for node in waiting)
    # A look-ahead that failed or was cut one step ago is not asked for again.
    reached = state.looks
    return tuple(Expansion(end.id, 1, greedy=True) for end in tips if open_step(end) and _looked(state, end) == reached)


def _looked(state: State, end: Node) -> int:
    """Steps of look-ahead that lead to this one."""
    place, steps = end.id, 0
    first_look = state.first + sum(expansion.count for expansion in state.round if not expansion.greedy)
    while place >= first_look:
        place, steps = state.nodes[place - 1].parent, steps + 1
    return steps
