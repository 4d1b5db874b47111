"""What the adaptive search comes to, at each price, on calibration problems that its fit has not seen.

    python -m evaluation.held_out --traces FILE … --runs FILE … [--n 64] [--prices P …] [--folds 2] [--caution C]

Fits on all folds but one, plays recorded solutions and searches of that one through the service's own controller, in
turn. The price alone ends a search here: confidence stops none. Prices, effort levels and the form of a fit are to be
chosen by this, never by the test split. The last line on stdout is JSON: for each price accuracy, accuracy by level,
mean cost in costs of one plain sample, and the calibration error; beside it weighted best-of-n on the same problems.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from domain.calibration import Calibration
from domain.effort import EFFORTS, adaptive_for
from domain.errors import DeliberateError
from domain.recipe import StrategySpec
from domain.specs.adaptive import Adaptive
from evaluation.calibration_fit.actions import CAUTION
from evaluation.calibration_fit.check import expected_calibration_error, reliability
from evaluation.calibration_fit.fit import fit, mixed
from evaluation.calibration_fit.playing import Played, played
from evaluation.calibration_fit.runs import Run, read_runs
from evaluation.calibration_fit.traces import GradedProblem, read_traces
from evaluation.calibration_fit.trajectories import counted
from evaluation.report import say
from orchestrator.calibration import read_calibration

SIZES = (1, 4, 16, 64)
SURE = 2.0
"""A confidence that none reaches: the price alone ends the search."""
Runs = Mapping[StrategySpec, Run]


def folds_of(
    problems: Sequence[GradedProblem], runs: Sequence[Run], score_cost: float, folds: int, caution: float
) -> Iterator[tuple[Calibration, list[GradedProblem]]]:
    """For each fold the fit on all others, and its own problems."""
    for at in range(folds):
        seen = [one for place, one in enumerate(problems) if place % folds != at]
        names = {one.id for one in seen}
        say(f"fit {at + 1} of {folds}")
        fitted = fit(
            seen, score_cost=score_cost, runs=[one for one in runs if one.problem in names], orders=2, caution=caution
        )
        yield fitted, [one for place, one in enumerate(problems) if place % folds == at]


def play_fold(
    fitted: Calibration, held: Sequence[GradedProblem], runs: Mapping[str, Runs], specs: Sequence[Adaptive]
) -> dict[Adaptive, list[tuple[GradedProblem, Played]]]:
    return {spec: [(one, played(one, runs[one.id], fitted, spec)) for one in held if one.id in runs] for spec in specs}


def summary(found: Sequence[tuple[GradedProblem, Played]]) -> dict[str, Any]:
    bins = reliability((one.confidence, one.right) for _, one in found)
    stages: dict[str, int] = {}
    for _, one in found:
        name = " + ".join(f"{spec.name} {getattr(spec, 'n', '')}" for spec in one.stages) or "none"
        stages[name] = stages.get(name, 0) + 1
    return {
        **accuracy([(problem, one.right) for problem, one in found]),
        "cost": round(sum(one.cost for _, one in found) / len(found), 3),
        "ece": round(expected_calibration_error(bins), 4),
        "reliability": [[one.count, round(one.confidence, 3), round(one.accuracy, 3)] for one in bins],
        "stages": stages,
    }


def accuracy(found: Sequence[tuple[GradedProblem, bool]]) -> dict[str, Any]:
    levels: dict[str, list[bool]] = {}
    for problem, right in found:
        levels.setdefault(str(problem.level), []).append(right)
    by_level = {level: round(sum(some) / len(some), 4) for level, some in sorted(levels.items())}
    return {"accuracy": round(sum(right for _, right in found) / len(found), 4), "levels": by_level}


def weighted(problems: Sequence[GradedProblem], score_cost: float) -> dict[int, Any]:
    """Best-of-n, by the largest sum of scores."""
    found = {}
    for n in (size for size in SIZES if size <= min(len(one.samples) for one in problems)):
        states = []
        for problem in problems:
            bare = replace(problem, greedy=None)
            states.append((problem, counted(bare, 0, n, "scored", score_cost).state(0)))
        cost = sum(state.cost for _, state in states) / len(states)
        found[n] = {**accuracy([(problem, state.right) for problem, state in states]), "cost": round(cost, 3)}
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        problems, runs = mixed(read_traces(given.traces)), read_runs(given.runs)
        score_cost = read_calibration(given.calibration).score_cost
    except DeliberateError as error:
        say(f"error: {error}")
        return 2
    by_problem: dict[str, dict[StrategySpec, Run]] = {}
    for run in runs:
        by_problem.setdefault(run.problem, {})[run.strategy] = run
    specs = [Adaptive(n=given.n, price=price, confidence=SURE) for price in given.prices]
    merged: dict[Adaptive, list[tuple[GradedProblem, Played]]] = {spec: [] for spec in specs}
    for fitted, held in folds_of(problems, runs, score_cost, given.folds, given.caution):
        for spec, found in play_fold(fitted, held, by_problem, specs).items():
            merged[spec] += found
    ran = [one for one in problems if one.id in by_problem]
    prices = {spec.price: summary(found) for spec, found in merged.items()}
    print(json.dumps({"n": len(ran), "prices": prices, "best_of_n": weighted(ran, score_cost)}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=Path, nargs="+", required=True)
    parser.add_argument("--runs", type=Path, nargs="+", required=True)
    parser.add_argument("--calibration", type=Path, required=True, help="whose cost of a verification is taken")
    parser.add_argument("--n", type=int, default=64, help="the largest search")
    parser.add_argument("--prices", type=float, nargs="+", default=[adaptive_for(name).price for name in EFFORTS])
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--caution", type=float, default=CAUTION, help="standard errors below what an action brought")
    return parser


if __name__ == "__main__":
    sys.exit(main())
