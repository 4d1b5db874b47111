"""Searches as they would have run on recorded solutions: the evidence after each sample, and whether it was right.

Law: the evidence equals what `search.verdicts` would make of the same samples (a test compares them).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from domain.ids import derive_seed
from domain.verdict import Evidence
from evaluation.calibration_fit.runs import Run
from evaluation.calibration_fit.traces import GradedProblem, GradedSample

SIZES_UP_TO = 16
"""Every size up to this is looked at; beyond it only each fourth."""

Chooser: TypeAlias = Callable[[Sequence[Evidence]], int]
"""From the evidence for each answer, in the rule's order, to the index of the one to return."""


@dataclass(frozen=True, slots=True)
class State:
    """A search after some samples."""

    problem: int
    """Index of its problem: what is fitted is checked on problems, not on states."""
    evidence: Evidence
    right: bool
    """Whether the answer that it would return now is right."""
    cost: float
    """Solutions sampled, and verified at `score_cost` each (equal texts once), in costs of one plain sample."""


@dataclass
class _Class:
    votes: int = 0
    weight: float = 0.0
    best: float = 0.0
    right: bool = False
    first: int = 0
    firmest: float = 0.0
    means: float = 0.0
    """Sum of the solutions' mean scores."""
    texts: set[str] = field(default_factory=set)


class Counting:
    """The counts of one growing search over recorded samples."""

    def __init__(self, rule: str, score_cost: float) -> None:
        self._rule, self._score_cost = rule, score_cost
        self._classes: dict[str, _Class] = {}
        self._sampled = self._answered = 0
        self._read: set[str] = set()
        self._cost = self._search_flops = 0.0

    @property
    def sampled(self) -> int:
        return self._sampled

    def copied(self) -> Counting:
        """What is added to it leaves this one as it is."""
        twin = copy(self)
        twin._classes = {answer: replace(one, texts=set(one.texts)) for answer, one in self._classes.items()}
        twin._read = set(self._read)
        return twin

    def add(self, sample: GradedSample) -> None:
        """A plain sample, and its verification."""
        self._cost += 1.0
        self._count(sample)
        if self._rule != "votes" and sample.answer is not None:
            self._pay(sample.text)

    def add_stage(self, run: Run) -> None:
        """A search over steps, and what it came to."""
        self._cost += run.cost
        self._search_flops += run.flops
        for solution in run.solutions:
            self._count(solution)

    def _count(self, sample: GradedSample) -> None:
        self._sampled += 1
        if sample.answer is None:
            return
        self._answered += 1
        one = self._classes.setdefault(sample.answer, _Class(first=self._answered))
        one.votes += 1
        one.right = one.right or sample.right
        if self._rule != "votes":
            assert sample.score is not None
            one.weight += sample.score
            one.best = max(one.best, sample.score)
            one.firmest = max(one.firmest, sample.lowest)
            one.means += sample.mean
            one.texts.add(sample.text)

    def _pay(self, text: str) -> None:
        if text not in self._read:
            self._read.add(text)
            self._cost += self._score_cost

    def candidates(self) -> list[tuple[Evidence, bool]]:
        """For each answer the evidence if it were the one returned, and whether it is right; the first is returned."""
        classes = sorted(self._classes.values(), key=self._order, reverse=True)
        return [(self._evidence(one), one.right) for one in classes]

    def state(self, problem: int, choose: Chooser | None = None) -> State:
        found = self.candidates()
        if not found:
            return State(problem, Evidence(self._sampled, 0, 0, 0, 0), False, self._cost)
        evidence, right = found[0 if choose is None else choose([one for one, _ in found])]
        return State(problem, evidence, right, self._cost)

    def _evidence(self, winner: _Class) -> Evidence:
        others = [one for one in self._classes.values() if one is not winner]
        return Evidence(
            sampled=self._sampled,
            answered=self._answered,
            votes=winner.votes,
            rival_votes=max((one.votes for one in others), default=0),
            classes=len(self._classes),
            scored=0 if self._rule == "votes" else self._answered,
            weight=winner.weight,
            rival_weight=max((one.weight for one in others), default=0.0),
            total_weight=sum(one.weight for one in self._classes.values()),
            best=winner.best,
            rival_best=max((one.best for one in others), default=0.0),
            different=len(winner.texts),
            firmest=winner.firmest,
            steady=winner.means / winner.votes,
            search_flops=self._search_flops,
        )

    def _order(self, one: _Class) -> tuple[float, ...]:
        if self._rule == "best":
            return (one.best, -one.first)
        return (one.votes if self._rule == "votes" else one.weight, one.votes, -one.first)


def trajectories(
    problems: Sequence[GradedProblem],
    rule: str,
    *,
    score_cost: float = 1.0,
    orders: int = 4,
    seed: int = 0,
    choose: Callable[[int], Chooser] | None = None,
) -> Iterator[list[State]]:
    """For each problem and each of some random orders of its samples the states of a search by `rule` (a family).

    `choose` gives for a problem's index what picks the returned answer, where that is not the rule's first; so do the
    searches that decide for themselves.
    """
    for index, problem in enumerate(problems):
        for order in range(orders):
            samples = begun(problem, order) if choose is not None else shuffled(problem, order, seed)
            yield _grown(index, samples, Counting(rule, score_cost), None if choose is None else choose(index))


def begun(problem: GradedProblem, order: int) -> list[GradedSample]:
    """As the searches that decide for themselves sample: the greedy solution first, where there is one."""
    return [*(() if problem.greedy is None else (problem.greedy,)), *shuffled(problem, order, 0)]


def counted(problem: GradedProblem, order: int, size: int, rule: str, score_cost: float) -> Counting:
    """After the first `size` of them."""
    counting = Counting(rule, score_cost)
    for sample in begun(problem, order)[:size]:
        counting.add(sample)
    return counting


def shuffled(problem: GradedProblem, order: int, seed: int) -> list[GradedSample]:
    samples = list(problem.samples)
    if order > 0:
        random.Random(derive_seed(seed, "order", problem.id, order)).shuffle(samples)
    return samples


def looked_at(size: int, last: int) -> bool:
    return size <= SIZES_UP_TO or size % (SIZES_UP_TO // 4) == 0 or size == last


def _grown(index: int, samples: Sequence[GradedSample], counting: Counting, choose: Chooser | None) -> list[State]:
    states = []
    for size, sample in enumerate(samples, start=1):
        counting.add(sample)
        if looked_at(size, len(samples)):
            states.append(counting.state(index, choose))
    return states
