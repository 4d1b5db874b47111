"""What the shipped models are worth: `python -m training.report [--models models] [--per-level 100]`.

Law: measured on held-out problems, through the engines that serve, with standard errors and the temperature stated.
The last line on stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.moves import FinishReason
from domain.ports import Completion
from training.metrics import (
    Estimate,
    Graded,
    accuracy,
    any_right,
    best,
    estimate,
    majority,
    weighted,
    within_problem_auc,
)
from training.problems.arithmetic import LEVELS, Example
from training.problems.checker import is_right
from training.sampling import Draw, sample_solutions, score_solutions
from training.splits import held_out_problems

SAMPLES = 16
TEMPERATURE = 0.8
SIZES = (1, 4, 16)
SELECTORS = {"majority": majority, "best_of_n_weighted": weighted, "best_of_n_best": best, "pass": any_right}


@dataclass(frozen=True)
class Report:
    temperature: float
    samples: int
    pass_at_1: dict[str, Estimate]
    """By level, and `all`."""
    accuracy: dict[str, dict[int, Estimate]]
    """By selector, then by N."""
    auc: dict[str, Estimate]
    """Within a problem, by scorer: the verifier, the policy's own log-probability, the exact checker."""

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def make_report(
    policy: Path,
    verifier: Path,
    problems: Sequence[Example],
    seed: int,
    *,
    temperature: float = TEMPERATURE,
    samples: int = SAMPLES,
) -> Report:
    """Samples and scores `samples` solutions of each problem. Raises EngineError or ConfigurationError."""
    from inference.engines.factory import load_policy
    from inference.verifiers.factory import load_verifier

    engine = load_policy(str(policy), threads=1, device="cpu", rows=192)
    sampled = sample_solutions(engine, problems, Draw(samples, temperature, seed))
    scorer = load_verifier(str(verifier), threads=1, device="cpu")
    pairs = [(problem, item) for problem, items in zip(problems, sampled, strict=True) for item in items]
    finished = [(problem.problem, item.text) for problem, item in pairs if _is_finished(item)]
    scores = {pair: result.scores[-1] for pair, result in zip(finished, score_solutions(scorer, finished), strict=True)}

    def arm(score: Callable[[Example, Completion], float]) -> list[list[Graded]]:
        return [
            [_graded(problem, item, score) for item in items] for problem, items in zip(problems, sampled, strict=True)
        ]

    arms = {
        "verifier": arm(lambda problem, item: scores[problem.problem, item.text]),
        "policy_log_probability": arm(lambda problem, item: item.logprob or 0.0),
        "exact_checker": arm(lambda problem, item: float(is_right(problem.problem, item.text))),
    }
    return _report(problems, arms, temperature, samples)


def _is_finished(item: Completion) -> bool:
    return item.answer is not None and item.finish is FinishReason.END


def _graded(problem: Example, item: Completion, score: Callable[[Example, Completion], float]) -> Graded:
    if item.answer is None or not _is_finished(item):
        return Graded(None, False, 0.0)
    return Graded(item.answer.key, item.answer.text == problem.answer, score(problem, item))


def _report(
    problems: Sequence[Example], arms: dict[str, list[list[Graded]]], temperature: float, samples: int
) -> Report:
    graded = arms["verifier"]
    rates = [sum(item.right for item in items) / len(items) for items in graded]
    by_level = {
        str(level): estimate(rate for problem, rate in zip(problems, rates, strict=True) if problem.level == level)
        for level in LEVELS
    }
    sizes = [size for size in SIZES if size <= samples]
    table = {name: {n: accuracy(graded, select, n) for n in sizes} for name, select in SELECTORS.items()}
    for name, arm in arms.items():
        if name != "verifier":
            table[f"best_of_n_best, {name}"] = {n: accuracy(arm, best, n) for n in sizes}
    auc = {name: within_problem_auc(arm) for name, arm in arms.items()}
    return Report(temperature, samples, by_level | {"all": estimate(rates)}, table, auc)


def main(arguments: Sequence[str] | None = None) -> int:
    from training.tables import as_markdown

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path(__file__).resolve().parent.parent / "models")
    parser.add_argument("--per-level", type=int, default=100)
    parser.add_argument("--temperature", type=float, default=TEMPERATURE)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    report = make_report(
        chosen.models / "policy",
        chosen.models / "verifier",
        held_out_problems(chosen.per_level),
        chosen.seed,
        temperature=chosen.temperature,
        samples=chosen.samples,
    )
    sys.stderr.write(as_markdown(report) + "\n")
    sys.stdout.write(json.dumps(report.as_json()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
