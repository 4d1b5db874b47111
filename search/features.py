"""From counted ballots to evidence, and from evidence to the features of the fitted models.

Law: features can be read at any time of a search, and depend on evidence alone, so that a fit on recorded solutions
and a search that is under way see the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from domain.calibration import Logistic
from domain.verdict import Evidence
from search.tree import ScoreStatus
from search.voting import AnswerClass

_EDGE = 1e-3
"""Scores are kept this far from 0 and 1 before their logarithm of odds is taken."""


def evidence_for(
    classes: Sequence[AnswerClass], winner: AnswerClass, sampled: int, search_flops: float = 0.0
) -> Evidence:
    """What speaks for `winner`. Scores are those of the last step, whatever the ballots were weighted with."""
    nodes = [[b.node for b in one.ballots if b.node.scoring is ScoreStatus.SCORED] for one in classes]
    scored = [[node.scores[-1] for node in group] for group in nodes]
    mine = next(at for at, one in enumerate(classes) if one is winner)
    others = [at for at in range(len(classes)) if at != mine]
    return Evidence(
        sampled=sampled,
        answered=sum(len(one.ballots) for one in classes),
        votes=len(winner.ballots),
        rival_votes=max((len(classes[at].ballots) for at in others), default=0),
        classes=len(classes),
        scored=sum(map(len, scored)),
        weight=math.fsum(scored[mine]),
        rival_weight=max((math.fsum(scored[at]) for at in others), default=0.0),
        total_weight=math.fsum(math.fsum(group) for group in scored),
        best=max(scored[mine], default=0.0),
        rival_best=max((score for at in others for score in scored[at]), default=0.0),
        different=len({node.text for node in nodes[mine]}),
        firmest=max((min(node.scores) for node in nodes[mine]), default=0.0),
        steady=fmean(fmean(node.scores) for node in nodes[mine]) if nodes[mine] else 0.0,
        search_flops=search_flops,
    )


def log_odds(share: float) -> float:
    share = min(max(share, _EDGE), 1 - _EDGE)
    return math.log(share / (1 - share))


def _share(one: Evidence) -> float:
    return (one.votes + 0.5) / (one.sampled + 1)


def _size(one: Evidence) -> float:
    return math.log2(one.sampled + 1)


def _weight_share(one: Evidence) -> float:
    return (one.weight + 0.1) / (one.total_weight + 0.2)


VOTES: dict[str, Callable[[Evidence], float]] = {
    "share": lambda one: log_odds(_share(one)),
    "size": _size,
    "share_by_size": lambda one: log_odds(_share(one)) * _size(one),
    "rival": lambda one: (one.rival_votes + 0.5) / (one.sampled + 1),
    "lead": lambda one: (one.votes - one.rival_votes) / math.sqrt(one.votes + one.rival_votes + 1),
    "variety": lambda one: one.classes / (one.answered + 1),
    "unanswered": lambda one: (one.sampled - one.answered) / (one.sampled + 1),
}
"""Features of votes alone."""

SCORES: dict[str, Callable[[Evidence], float]] = {
    "weight_share": lambda one: log_odds(_weight_share(one)),
    "weight_lead": lambda one: (one.weight - one.rival_weight) / (one.total_weight + 0.2),
    "weight": lambda one: math.log(one.weight + 0.05),
    "best": lambda one: log_odds(one.best),
    "mean": lambda one: log_odds(one.weight / max(one.votes, 1)),
    "all_mean": lambda one: log_odds(one.total_weight / max(one.scored, 1)),
    "rival_best": lambda one: log_odds(one.rival_best),
    "agree": lambda one: float(one.votes >= one.rival_votes),
    "highest": lambda one: float(one.best >= one.rival_best),
    "heaviest": lambda one: float(one.weight >= one.rival_weight),
}
"""Further features, for evidence with scores."""

KIN: dict[str, Callable[[Evidence], float]] = {
    "firmest": lambda one: log_odds(one.firmest),
    "steady": lambda one: log_odds(one.steady),
    "different": lambda one: math.log2(one.different + 1),
    "search_flops": lambda one: math.log2(one.search_flops + 1),
}
"""Further ones, for searches over steps: their solutions are kin, so that votes and sums mean little by themselves."""

FEATURES = VOTES | SCORES | KIN


def probability(model: Logistic, evidence: Evidence) -> float:
    """The logistic model's output, strictly between 0 and 1. Raises KeyError for a feature that this version lacks."""
    total = model.bias
    for name, mean, spread, weight in zip(model.features, model.means, model.spreads, model.weights, strict=True):
        total += weight * (FEATURES[name](evidence) - mean) / spread
    return 1 / (1 + math.exp(-min(max(total, -30.0), 30.0)))
