"""What the shipped models are worth, on 500 problems that nothing was trained or chosen on.

    python -m evaluation.models [--quick] [--models models] [--workers 1]

Samples 64 solutions of each problem at temperature 1 and the reviser's chains through the engines that serve, scores
what is finished with the verifier and the outcome model, and checks every step exactly. Tables go to stderr, one JSON
object to the last line of stdout; a full run also writes a page, a table and figures to docs/results/models.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from domain.errors import DeliberateError
from evaluation.quality.collect import Plan, collect, models_in
from evaluation.quality.first_errors import choose_threshold
from evaluation.quality.page import write_extras
from evaluation.quality.problems import CALIBRATION, TEST, read_items
from evaluation.quality.result import result_of
from evaluation.quality.summary import Sheet
from evaluation.quality.tables import tables
from evaluation.report import finish, say

MODELS = Path(__file__).resolve().parent.parent / "models"
CALIBRATION_SAMPLES = 16
QUICK_PROBLEMS = 60
QUICK_CALIBRATION = 30


def measured(plan: Plan, test: Path, calibration: Path, *, workers: int, quick: bool) -> Sheet:
    """Samples, checks and scores both splits. Raises ConfigurationError or EngineError."""
    problems, others = read_items(test), read_items(calibration)
    if quick:
        problems, others = problems[:QUICK_PROBLEMS], others[:QUICK_CALIBRATION]
    threshold = choose_threshold(collect(calibration_plan(plan), others, workers, "calibration"))
    say(f"a step counts as wrong below {threshold:.3f}, chosen on {len(others)} problems of the calibration split")
    records = collect(plan, problems, workers, "test")
    return Sheet(records, threshold, plan.seed)


def calibration_plan(plan: Plan) -> Plan:
    """Fewer solutions and no chains: only the threshold for first errors is chosen there."""
    return replace(plan, samples=min(CALIBRATION_SAMPLES, plan.samples), chains=0)


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    began = time.monotonic()
    try:
        plan = _plan(chosen)
        sheet = measured(plan, chosen.problems, chosen.calibration, workers=chosen.workers, quick=chosen.quick)
    except DeliberateError as error:
        say(f"error: {error}")
        return 2
    result = result_of(sheet, plan, seconds=time.monotonic() - began, workers=chosen.workers)
    full = not chosen.quick
    table = tables(sheet, result)
    if full:
        table += write_extras(sheet, result)
    finish("models", _command(arguments), result.as_json(), table, full=full)
    return 0


def _plan(chosen: argparse.Namespace) -> Plan:
    return Plan(
        models_in(chosen.models),
        samples=chosen.samples,
        chains=chosen.chains,
        revisions=chosen.revisions,
        temperature=chosen.temperature,
        max_tokens=chosen.max_tokens,
        seed=chosen.seed,
    )


def _command(arguments: Sequence[str] | None) -> str:
    given = sys.argv[1:] if arguments is None else arguments
    return " ".join(["python -m evaluation.models", *given])


def _at_least_one(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add: Any = parser.add_argument
    add("--quick", action="store_true", help=f"the first {QUICK_PROBLEMS} problems; nothing is written to docs/results")
    add("--models", type=Path, default=MODELS, help="folder with policy/, verifier/ and, where there is one, orm/")
    add("--problems", type=Path, default=TEST, help="JSONL of `deliberate problems make --split test`")
    add("--calibration", type=Path, default=CALIBRATION, help="JSONL of the calibration split")
    add("--samples", type=_at_least_one, default=64, help="solutions of each problem")
    add("--chains", type=_at_least_one, default=1, help="chains of revisions of each problem")
    add("--revisions", type=_at_least_one, default=8, help="length of a chain")
    add("--temperature", type=float, default=1.0)
    add("--max-tokens", type=_at_least_one, default=384, help="longest solution")
    add("--seed", type=int, default=1)
    add("--workers", type=_at_least_one, default=1, help="processes of one thread each")
    return parser


if __name__ == "__main__":
    sys.exit(main())
