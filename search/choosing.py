"""The verdict over scored solutions, wherever in a tree or chain they are. Never simply the last one.

A solution whose scoring failed has no weight and takes no part; while nothing is scored at all, plain votes decide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from domain.verdict import Verdict
from search.aggregation import aggregate
from search.tree import Node, ScoreStatus
from search.verdicts import NOTHING, elected
from search.voting import AnswerClass, Ballot, tally

UNSCORED = "most votes (nothing is scored)"
WEIGHTED = "largest sum of verifier scores"
BEST = "solution with the highest verifier score"

WholeText = Callable[[Node], str]


def own_text(node: Node) -> str:
    """For nodes that are whole solutions."""
    return node.text


def value_of(node: Node, aggregation: str) -> float | None:
    """The verifier's number for a solution or for the beginning of one; None where it has not spoken."""
    return aggregate(aggregation, node.scores) if node.scoring is ScoreStatus.SCORED else None


def scored_ballots(nodes: Sequence[Node], aggregation: str) -> list[Ballot]:
    """A ballot for each scored node, with the verifier's number as its weight."""
    values = ((node, value_of(node, aggregation)) for node in nodes)
    return [Ballot(node, value) for node, value in values if value is not None]


def by_verifier(
    finished: Sequence[Node], sampled: int, selection: str, aggregation: str, text: WholeText = own_text
) -> Verdict:
    """The verdict over `finished` solutions of the `sampled` that came back; `selection` is as in best-of-N."""
    ballots = scored_ballots(finished, aggregation)
    if not ballots:
        return by_votes(finished, sampled, UNSCORED, text)
    classes = tally(ballots, finished)
    if selection == "weighted":
        return standing(classes, classes[0], sampled, WEIGHTED, text)
    best = max(classes, key=lambda one: (one.best.weight, -one.best.node.id))
    return standing(classes, best, sampled, BEST, text)


def by_votes(finished: Sequence[Node], sampled: int, why: str = "most votes", text: WholeText = own_text) -> Verdict:
    """The class with the most votes."""
    classes = tally([Ballot(node, 1.0) for node in finished], finished)
    return standing(classes, classes[0], sampled, why, text) if classes else NOTHING


def standing(classes: Sequence[AnswerClass], winner: AnswerClass, sampled: int, why: str, text: WholeText) -> Verdict:
    """The verdict for `winner`, with the whole text of the solution that stands for it."""
    return replace(elected(classes, winner, sampled, why), solution=text(winner.best.node))
