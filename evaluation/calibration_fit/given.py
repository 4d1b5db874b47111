"""What the benchmarks on graded traces are given: problems, a calibration to judge, and how many orders to average."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.calibration import Calibration
from domain.settings import MODELS
from evaluation.calibration_fit.traces import GradedProblem, read_traces
from orchestrator.calibration import FILE, read_calibration

SEEDS, QUICK_PROBLEMS = 3, 100


@dataclass(frozen=True)
class Given:
    problems: Sequence[GradedProblem]
    calibration: Calibration
    seeds: int
    full: bool
    command: str


def given(name: str, description: str) -> Given:
    """From the command line. Raises InvalidRequest or ConfigurationError."""
    parser = argparse.ArgumentParser(prog=f"python -m evaluation.{name}", description=description)
    parser.add_argument("--traces", type=Path, nargs="+", required=True)
    parser.add_argument("--calibration", type=Path, default=MODELS / "policy" / FILE)
    parser.add_argument("--quick", action="store_true", help="100 problems, one order; writes no result page")
    chosen = parser.parse_args()
    problems = read_traces(chosen.traces)
    if chosen.quick:
        problems = problems[:: max(1, len(problems) // QUICK_PROBLEMS)]
    files = " ".join(one.name for one in chosen.traces)
    command = f"python -m evaluation.{name} --traces {files}"
    return Given(
        problems, read_calibration(chosen.calibration), 1 if chosen.quick else SEEDS, not chosen.quick, command
    )
