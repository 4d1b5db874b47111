"""A growing pool of plain solutions, verified on demand: what the self-deciding strategies begin with.

Law: equal texts are verified once; the score stands for all of them, in whatever order they arrive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from domain.moves import Move, Outcome
from domain.specs.parallel import BestOfN
from search.sampling import SamplingState, ask_samples, ask_scores, tell_outcome
from search.tree import Node, NodeStatus, ScoreStatus, put
from search.voting import AnswerClass, Ballot, tally

Pool: TypeAlias = SamplingState[BestOfN]
"""Its spec's `n` is the goal: solutions to have asked for."""


def grown(pool: Pool, goal: int) -> Pool:
    return replace(pool, spec=replace(pool.spec, n=max(goal, pool.spec.n)))


def ask_pool(pool: Pool, limit: int, *, scoring: bool) -> tuple[Pool, tuple[Move, ...]]:
    """Up to `limit` moves towards the goal; with `scoring`, scores of what is there first."""
    scores: tuple[Move, ...] = ()
    if scoring:
        pool, scores = _ask_scores(pool, limit)
    pool, samples = ask_samples(pool, limit - len(scores))
    return pool, scores + samples


def tell_pool(pool: Pool, outcome: Outcome) -> Pool:
    """Take in what happened, and let equal texts share what is known of one of them."""
    node = next((move.node for move in pool.in_flight if move.id == outcome.move_id), None)
    pool = tell_outcome(pool, outcome)
    return pool if node is None else _shared(pool, pool.nodes[node - 1])


def idle(pool: Pool, *, scoring: bool) -> bool:
    """Whether the goal is reached and nothing is under way."""
    return not pool.in_flight and len(pool.nodes) == pool.spec.n and not (scoring and pool.unscored)


def verifier_is_silent(pool: Pool) -> bool:
    """Whether it was asked and never spoke: there is none, or it is down."""
    asked = [node.scoring for node in pool.nodes if node.scoring in (ScoreStatus.SCORED, ScoreStatus.FAILED)]
    return bool(asked) and ScoreStatus.SCORED not in asked


def classes_of(nodes: Sequence[Node]) -> tuple[AnswerClass, ...]:
    """The finished solutions by answer: with their scores as weights where there are any, else one vote each."""
    finished = [node for node in nodes if node.finished]
    scored = [node for node in finished if node.scoring is ScoreStatus.SCORED]
    ballots = [Ballot(node, node.scores[-1]) for node in scored] or [Ballot(node, 1.0) for node in finished]
    return tally(ballots, nodes)


def votes_of(nodes: Sequence[Node]) -> tuple[AnswerClass, ...]:
    return tally([Ballot(node, 1.0) for node in nodes if node.finished], nodes)


def _ask_scores(pool: Pool, limit: int) -> tuple[Pool, tuple[Move, ...]]:
    """Only the earliest of equal texts is asked for, and none whose twin is being scored."""
    under_way = {node.text for node in pool.nodes if node.scoring is ScoreStatus.PENDING}
    first: dict[str, int] = {}
    for node in pool.unscored:
        first.setdefault(pool.nodes[node - 1].text, node)
    askable = tuple(node for text, node in first.items() if text not in under_way)
    waiting = tuple(node for node in pool.unscored if node not in askable)
    asked, moves = ask_scores(replace(pool, unscored=askable), limit)
    return replace(asked, unscored=tuple(sorted((*asked.unscored, *waiting)))), moves


def _shared(pool: Pool, news: Node) -> Pool:
    """`news` gets its twin's score, or gives its own to the twins that wait for one."""
    if news.status is not NodeStatus.SAMPLED or not news.finished:
        return pool
    twins = [node for node in pool.nodes if node.finished and node.text == news.text and node.id != news.id]
    known = (ScoreStatus.SCORED, ScoreStatus.FAILED)
    source = next((node for node in (news, *twins) if node.scoring in known), None)
    if source is None:
        return pool
    nodes, shared = pool.nodes, set()
    for node in (news, *twins):
        if node.scoring is ScoreStatus.NONE:
            nodes = put(nodes, replace(node, scoring=source.scoring, scores=source.scores))
            shared.add(node.id)
    return replace(pool, nodes=nodes, unscored=tuple(node for node in pool.unscored if node not in shared))
