"""Fits what does best on each difficulty bin at each budget, by 2-fold cross-validation (2408.03314, 3.2):
a strategy, or several searches over steps one after the other.

Law: the accuracy that is stored with a choice was measured on problems that the choice was not made on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from domain.calibration import Choice, ConfidenceModel, Difficulty
from domain.recipe import StrategySpec
from domain.specs.parallel import BestOfN, SelfConsistency
from evaluation.calibration_fit.climbs import LONGEST, ladder_of
from evaluation.calibration_fit.difficulty import BINS, probe_evidence
from evaluation.calibration_fit.election import chooser_of
from evaluation.calibration_fit.runs import Run
from evaluation.calibration_fit.traces import GradedProblem
from evaluation.calibration_fit.trajectories import Counting, begun, counted
from search.difficulty import bin_of

BUDGETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
Way: TypeAlias = tuple[StrategySpec, ...]
"""A strategy, or several one after the other."""
LEAST = 8
"""Trials in a bin without which a candidate is not considered there."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate on one problem after one probe."""

    problem: int
    bin: int
    way: Way
    right: bool
    cost: float
    """Of the probe and of all that followed, in costs of one plain sample."""


def fit_choices(trials: Sequence[Trial], score_cost: float, probe: int) -> tuple[Choice, ...]:
    """For each bin and budget the best candidate whose mean cost is at most that of best-of-n weighted.

    What was sampled for the `probe` can't be unsampled: where the budget has room for it, no choice is smaller.
    """
    chosen = []
    for bin_ in range(BINS):
        here = [one for one in trials if one.bin == bin_]
        for n in BUDGETS:
            fitting = [one for one in here if _covers_probe(one.way, probe) == (n >= probe)]
            halves = [_means(one for one in fitting if one.problem % 2 == half) for half in (0, 1)]
            whole = _means(fitting)
            best = _best(whole, n * (1 + score_cost))
            if best is not None:
                accuracy = _held_out(halves, n * (1 + score_cost), whole[best].accuracy)
                first, *then = best
                chosen.append(Choice(bin_, n, first, round(accuracy, 4), round(whole[best].cost, 3), tuple(then)))
    return tuple(chosen)


def _covers_probe(way: Way, probe: int) -> bool:
    strategy = way[0]
    return not isinstance(strategy, SelfConsistency | BestOfN) or strategy.n >= probe


def trials_of(
    problems: Sequence[GradedProblem],
    difficulty: Difficulty,
    score_cost: float,
    runs: Sequence[Run] = (),
    likeliest: ConfidenceModel | None = None,
    *,
    orders: int = 4,
) -> list[Trial]:
    """All candidates: voting and best-of-n of every size from the traces, and what was run. `likeliest` elects the
    answer of independent solutions; None: the largest sum of scores.
    """
    found: list[Trial] = []
    ran = _by_problem(runs)
    for index, problem in enumerate(problems):
        own = ran.get(problem.id, ())
        for order in range(orders):
            bin_ = _bin(problem, difficulty, order)
            found += _sampled(index, bin_, problem, order, difficulty, score_cost, likeliest)
            probe = counted(problem, order, difficulty.samples, _rule(difficulty), score_cost)
            found += _ran(index, bin_, (), [run for run in own if run.solutions], probe)
            cost = probe.state(index).cost
            found += [
                Trial(index, bin_, (run.strategy,), run.right, cost + run.cost) for run in own if not run.solutions
            ]
    return found


def _by_problem(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Each problem's, those of a cheap strategy first."""
    rank = {spec: at for at, spec in enumerate(ladder_of(runs))}
    found: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda one: rank.get(one.strategy, 0)):
        found.setdefault(run.problem, []).append(run)
    return found


def _rule(difficulty: Difficulty) -> str:
    """By which the probe's solutions are counted."""
    return "scored" if difficulty.scored else "votes"


def _ran(index: int, bin_: int, done: Way, runs: Sequence[Run], before: Counting) -> Iterator[Trial]:
    """Each of the runs and all longer ways, after what is `done`. The probe's solutions take part in the election, as
    in `search.compute_optimal`."""
    for at, run in enumerate(runs, start=1):
        counting, way = before.copied(), (*done, run.strategy)
        counting.add_stage(run)
        state = counting.state(index)
        yield Trial(index, bin_, way, state.right, state.cost)
        if len(way) < LONGEST:
            yield from _ran(index, bin_, way, runs[at:], counting)


def _bin(problem: GradedProblem, difficulty: Difficulty, order: int) -> int:
    evidence = probe_evidence(problem, _rule(difficulty), order)
    return len(difficulty.edges) if evidence is None else bin_of(difficulty, evidence)


def _sampled(
    index: int,
    bin_: int,
    problem: GradedProblem,
    order: int,
    difficulty: Difficulty,
    score_cost: float,
    model: ConfidenceModel | None,
) -> list[Trial]:
    rules = ("votes", "scored") if difficulty.scored else ("votes",)
    counts = {rule: Counting(rule, score_cost) for rule in rules}
    found: list[Trial] = []
    probe_scores = 0.0
    for size, sample in enumerate(begun(problem, order), start=1):
        for counting in counts.values():
            counting.add(sample)
        if size == difficulty.samples and difficulty.scored:
            probe_scores = counts["scored"].state(index).cost - size
        if size in SIZES:
            for rule, counting in counts.items():
                chooser = None if rule == "votes" or model is None else chooser_of(model)(index)
                state = counting.state(index, chooser)
                # The probe's verification is paid whatever the choice is.
                cost = max(state.cost, size + probe_scores) if rule == "votes" else state.cost
                strategy = SelfConsistency(n=size) if rule == "votes" else BestOfN(n=size)
                found.append(Trial(index, bin_, (strategy,), state.right, cost))
    return found


@dataclass(frozen=True, slots=True)
class _Mean:
    accuracy: float
    cost: float
    problems: int

    @property
    def safe(self) -> float:
        """One standard error below the accuracy: what few problems speak for must be much better to be chosen."""
        spread = (self.accuracy * (1 - self.accuracy) + 0.25 / self.problems) / self.problems
        return self.accuracy - math.sqrt(spread)


_Means = dict[Way, _Mean]


def _means(trials: Iterable[Trial]) -> _Means:
    """Accuracy and cost of each candidate with enough trials."""
    groups: dict[Way, list[Trial]] = {}
    for one in trials:
        groups.setdefault(one.way, []).append(one)
    return {way: _mean(group) for way, group in groups.items() if len(group) >= LEAST}


def _mean(group: Sequence[Trial]) -> _Mean:
    rights, costs = sum(one.right for one in group), sum(one.cost for one in group)
    return _Mean(rights / len(group), costs / len(group), len({one.problem for one in group}))


def _best(means: _Means, budget: float) -> Way | None:
    """The most accurate that the budget allows; the cheaper among equals."""
    allowed = [(one.safe, -one.cost, way) for way, one in means.items() if one.cost <= budget + 1e-9]
    return max(allowed, key=lambda one: one[:2])[2] if allowed else None


def _held_out(halves: Sequence[_Means], budget: float, fallback: float) -> float:
    """Mean over the halves of the accuracy there of what was best on the other one."""
    found = []
    for at in (0, 1):
        best = _best(halves[1 - at], budget)
        if best is not None and best in halves[at]:
            found.append(halves[at][best].accuracy)
    return sum(found) / len(found) if found else fallback
