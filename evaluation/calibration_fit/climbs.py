"""Searches as they would have climbed the ladder of stages: a few plain solutions, then recorded searches over steps.

The ladder is the strategies of the runs, by rising mean cost. A climb may leave rungs out. Law: solutions count as the
adaptive search counts them (a test compares the evidence).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, takewhile

from domain.recipe import StrategySpec
from evaluation.calibration_fit.runs import Run
from evaluation.calibration_fit.traces import GradedProblem
from evaluation.calibration_fit.trajectories import Counting, counted

STARTS = (0, 1, 4)
"""Plain solutions, verified, before the first stage."""
LONGEST = 3
"""Rungs of one climb: what comes after more of them is taken to be as after these."""


@dataclass(frozen=True, slots=True)
class Climb:
    """One problem's search along some rungs of the ladder."""

    problem: int
    start: int
    """Plain solutions that it began with."""
    rungs: tuple[int, ...]
    steps: tuple[Counting, ...]
    """After each of them."""


def ladder_of(runs: Sequence[Run]) -> tuple[StrategySpec, ...]:
    """The strategies whose solutions were kept, the cheapest first."""
    costs: dict[StrategySpec, list[float]] = {}
    for run in runs:
        if run.solutions:
            costs.setdefault(run.strategy, []).append(run.cost)
    return tuple(sorted(costs, key=lambda spec: sum(costs[spec]) / len(costs[spec])))


def climbs(
    problems: Sequence[GradedProblem], runs: Sequence[Run], score_cost: float, *, order: int = 0
) -> Iterator[Climb]:
    """Every climb of every problem, as high up the ladder as it was run; `order` is that of its plain solutions."""
    ladder = ladder_of(runs)
    ran: dict[str, dict[StrategySpec, Run]] = {}
    for run in runs:
        ran.setdefault(run.problem, {}).setdefault(run.strategy, run)
    for index, problem in enumerate(problems):
        known = ran.get(problem.id, {})
        stages = [known[spec] for spec in takewhile(known.__contains__, ladder)]
        yield from _climbs(index, problem, order, stages, score_cost)


def _climbs(
    index: int, problem: GradedProblem, order: int, stages: Sequence[Run], score_cost: float
) -> Iterator[Climb]:
    for start in STARTS if order == 0 else STARTS[1:]:  # from nothing all orders are the same
        counting = counted(problem, order, start, "scored", score_cost)
        for rungs in _ways(len(stages)):
            yield Climb(index, start, rungs, tuple(_steps(counting, [stages[rung] for rung in rungs])))


def _ways(height: int) -> Iterator[tuple[int, ...]]:
    """All rising ways of at most `LONGEST` rungs that begin anywhere on the ladder and end at its top; none without a
    rung."""
    lower = range(height - 1)
    for length in range(min(height, LONGEST)):
        yield from ((*chosen, height - 1) for chosen in combinations(lower, length))


def _steps(start: Counting, stages: Sequence[Run]) -> Iterator[Counting]:
    counting = start
    for stage in stages:
        counting = counting.copied()
        counting.add_stage(stage)
        yield counting
