"""Lookahead search: beam search whose steps are scored by where they lead (2408.03314, section 5.2).

Each distinct unfinished step is continued greedily for k steps, and the verifier reads the text up to there. A
look-ahead ends where the policy ends; its solution then counts as a finished one, and nothing is asked beyond it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from domain.specs.tree import Lookahead
from search.beam import beams
from search.contenders import contenders
from search.frontier import Expansion, Frontier, next_round, open_step, solution, tip, with_known_scores
from search.stepwise import Stepwise
from search.tree import Node, ScoreStatus

State: TypeAlias = Frontier[Lookahead]


class LookaheadStrategy(Stepwise[Lookahead]):
    def plan(self, state: State) -> State | None:
        return _plan(state)

    def leads_on(self, state: State, node: Node) -> bool:
        """Nothing is scored on arrival: its look-ahead, or an equal solution, may be on the way."""
        return False


def _plan(state: State) -> State | None:
    """Roll out, then score, then choose. What isn't finished by the last round needs neither: it can't go on."""
    last = state.depth >= state.spec.max_steps
    unread = [one.node for one in contenders(state) if one.node.scoring is ScoreStatus.NONE]
    waiting = [node for node in unread if node.finished or not last]
    ahead = _look_further(state, waiting)
    if ahead:
        return replace(state, looks=state.looks + 1, round=state.round + ahead)
    return _judge(state, waiting) if waiting else next_round(state, beams(state))


def _judge(state: State, waiting: list[Node]) -> State:
    """Have the steps scored, but for those that lead to a solution which was read before (an earlier step had the same
    look-ahead): its scores hold for them too, and a look-ahead does not vote a second time."""
    read = [node for node in state.nodes[: state.first - 1] if node.finished and node.scoring is ScoreStatus.SCORED]
    known = {solution(state.nodes, node.id): node.scores for node in read}
    unscored = []
    for node in waiting:
        scores = known.get(solution(state.nodes, tip(state, node).id))
        if scores is None:
            unscored.append(node.id)
        else:
            state = with_known_scores(state, node, scores)
    return replace(state, unscored=tuple(unscored))


def _look_further(state: State, waiting: list[Node]) -> tuple[Expansion, ...]:
    if state.looks == state.spec.lookahead:
        return ()
    tips = (tip(state, node) for node in waiting)
    # A look-ahead that failed or was cut one step ago is not asked for again.
    going = (end for end in tips if open_step(end) and _looked(state, end) == state.looks)
    return tuple(Expansion(end.id, 1, greedy=True) for end in going)


def _looked(state: State, end: Node) -> int:
    """Steps of look-ahead that lead to this one."""
    place, steps = end.id, 0
    first_look = state.first + sum(expansion.count for expansion in state.round if not expansion.greedy)
    while place >= first_look:
        place, steps = state.nodes[place - 1].parent, steps + 1
    return steps
