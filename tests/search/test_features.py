"""Evidence of searches over steps, by hand: copies count once, and a chain is as firm as its weakest step."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from domain.moves import Answer, FinishReason
from search.features import FEATURES, evidence_for
from search.solutions import classes_of
from search.tree import Node, NodeStatus, ScoreStatus

SOLUTIONS = (
    ("x", "one way", (0.9, 0.5)),
    ("x", "one way", (0.9, 0.5)),
    ("x", "another", (0.6, 0.7)),
    ("y", "no", (0.2, 0.8)),
)


def nodes() -> list[Node]:
    bare = [
        Node(at, 0, NodeStatus.SAMPLED, text, FinishReason.END, Answer(name, name))
        for at, (name, text, _) in enumerate(SOLUTIONS, start=1)
    ]
    return [
        replace(node, scoring=ScoreStatus.SCORED, scores=scores)
        for node, (_, _, scores) in zip(bare, SOLUTIONS, strict=True)
    ]


def test_copies_steps_and_cost_are_seen() -> None:
    classes = classes_of(nodes())
    evidence = evidence_for(classes, classes[0], 4, 1023.0)
    assert (evidence.votes, evidence.different) == (3, 2)
    assert evidence.firmest == 0.6
    assert evidence.steady == pytest.approx((0.7 + 0.7 + 0.65) / 3)
    assert FEATURES["search_flops"](evidence) == 10.0
    assert FEATURES["different"](evidence) == pytest.approx(math.log2(3))


def test_without_scores_they_say_nothing() -> None:
    bare = [replace(one, scoring=ScoreStatus.NONE, scores=()) for one in nodes()]
    classes = classes_of(bare)
    evidence = evidence_for(classes, classes[0], 4)
    assert (evidence.different, evidence.firmest, evidence.steady, evidence.search_flops) == (0, 0.0, 0.0, 0.0)
