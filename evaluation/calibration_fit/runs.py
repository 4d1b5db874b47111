"""Graded runs of whole searches: what a strategy came to on a calibration problem, one JSON object on each line.

    {"problem_id", "strategy": {"name", …}, "seed", "correct", "flops", "sample_flops", "solutions"}

`sample_flops` is what one plain sample costs on average with the same policy: it turns FLOPs into the unit of the fit.
`solutions` are those that the search came to, as in graded traces: what the adaptive search can count after it.
Plain sampling and voting need no runs, since graded traces say what any number of samples would have come to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from domain.errors import ConfigurationError, InvalidRequest
from domain.recipe import StrategySpec, parse_strategy
from evaluation.calibration_fit.traces import GradedSample, graded_sample


@dataclass(frozen=True, slots=True)
class Run:
    problem: str
    strategy: StrategySpec
    right: bool
    cost: float
    """In costs of one plain sample."""
    solutions: tuple[GradedSample, ...] = ()
    """Empty: they were not kept, so that the run can be chosen by difficulty but is no stage of the adaptive search."""
    flops: float = 0.0


def read_runs(paths: Iterable[Path]) -> list[Run]:
    """Raises ConfigurationError naming file and line."""
    return [run for path in paths for run in _read(path)]


def _read(path: Path) -> Iterable[Run]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} can't be read ({type(error).__name__}): give a file of runs") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            spec = parse_strategy(data["strategy"])
            cost = float(data["flops"]) / float(data["sample_flops"])
            solutions = tuple(graded_sample(one, at) for at, one in enumerate(data.get("solutions", ()), start=1))
            yield Run(str(data["problem_id"]), spec, bool(data["correct"]), cost, solutions, float(data["flops"]))
        except (ValueError, KeyError, TypeError, ZeroDivisionError, InvalidRequest) as error:
            raise ConfigurationError(f"{path}, line {number} is no run ({type(error).__name__})") from None
