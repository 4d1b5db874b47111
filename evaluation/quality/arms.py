"""The scorers that compete: each makes votes of the same solutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from evaluation.quality.metrics import UNFINISHED, Vote
from evaluation.quality.record import ProblemRecord, Solution
from search.aggregation import AGGREGATIONS, aggregate

Scoring: TypeAlias = Callable[[Solution], float]

SEQUENCE = "sequence probability"
CHECKER = "exact checker"
ORM = "ORM"


def prm(aggregation: str) -> str:
    return f"PRM, {aggregation}"


def _last_orm(one: Solution) -> float:
    return math.nan if one.orm is None else one.orm


def _sequence(one: Solution) -> float:
    return math.nan if one.base is None else one.base


def votes_by_arm(records: Sequence[ProblemRecord]) -> dict[str, list[list[Vote]]]:
    """For each scorer the votes of each problem; a scorer that gave no scores is left out."""
    finished = [one for record in records for one in record.solutions if one.finished]
    arms = {prm(name): _arm(records, partial(_aggregated, name)) for name in AGGREGATIONS}
    if finished and all(one.orm is not None for one in finished):
        arms[ORM] = _arm(records, _last_orm)
    if finished and all(one.base is not None for one in finished):
        arms[SEQUENCE] = [_probabilities(votes) for votes in _arm(records, _sequence)]
    return arms | {CHECKER: _arm(records, lambda one: float(one.sound))}


def _aggregated(name: str, one: Solution) -> float:
    return aggregate(name, one.prm)


def _arm(records: Sequence[ProblemRecord], scoring: Scoring) -> list[list[Vote]]:
    return [
        [Vote(one.key, one.right, scoring(one)) if one.finished else UNFINISHED for one in record.solutions]
        for record in records
    ]


def _probabilities(votes: Sequence[Vote]) -> list[Vote]:
    """From log-probabilities: relative to the problem's likeliest solution, so that they don't all round to 0."""
    top = max((vote.score for vote in votes if vote.key is not None), default=0.0)
    return [vote if vote.key is None else replace(vote, score=math.exp(vote.score - top)) for vote in votes]
