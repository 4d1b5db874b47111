"""Votes over classes of equivalent answers. Two answers are one class when their normal forms are the same, or when a
symbolic comparison said so (`Sampled.equivalent`); the relation is closed under chains of such findings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.verdict import Candidate
from search.tree import Node

MAX_CANDIDATES = 8


@dataclass(frozen=True, slots=True)
class Ballot:
    """A finished node and the weight of its vote (1 for plain voting, the verifier's number for weighted)."""

    node: Node
    weight: float


@dataclass(frozen=True, slots=True)
class AnswerClass:
    """All ballots for one answer, in order of their nodes."""

    ballots: tuple[Ballot, ...]

    @property
    def weight(self) -> float:
        return math.fsum(ballot.weight for ballot in self.ballots)

    @property
    def best(self) -> Ballot:
        """The heaviest ballot; the earliest among equals."""
        return max(self.ballots, key=lambda ballot: (ballot.weight, -ballot.node.id))

    @property
    def text(self) -> str:
        """The answer as the class's earliest member wrote it."""
        answer = self.ballots[0].node.answer
        return "" if answer is None else answer.text


def tally(ballots: Iterable[Ballot], nodes: Sequence[Node]) -> tuple[AnswerClass, ...]:
    """Classes by weight, heaviest first; ties go to more votes, then to the earlier node."""
    roots = class_of(nodes)
    members: dict[str, list[Ballot]] = {}
    for ballot in sorted(ballots, key=lambda ballot: ballot.node.id):
        if ballot.node.answer is not None:
            members.setdefault(roots[ballot.node.answer.key], []).append(ballot)
    classes = [AnswerClass(tuple(group)) for group in members.values()]
    return tuple(sorted(classes, key=lambda one: (-one.weight, -len(one.ballots), one.ballots[0].node.id)))


def class_of(nodes: Iterable[Node]) -> Mapping[str, str]:
    """For each answer's key the key that stands for its class (the smallest): a union-find over the findings."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for node in nodes:
        if node.answer is None:
            continue
        for other in (node.answer.key, *node.equivalent):
            low, high = sorted((root(node.answer.key), root(other)))
            parent[high] = low
    return {key: root(key) for key in parent}


def candidates(classes: Sequence[AnswerClass]) -> tuple[Candidate, ...]:
    """What the verdict shows of the leading classes."""
    total = math.fsum(one.weight for one in classes)
    return tuple(
        Candidate(one.text, len(one.ballots), one.weight / total if total > 0 else 0.0)
        for one in classes[:MAX_CANDIDATES]
    )
