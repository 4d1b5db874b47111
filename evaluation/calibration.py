"""Whether a confidence means what it says, on problems that nothing was fitted on.

    python -m evaluation.calibration --traces FILE… [--calibration FILE] [--quick]

The traces are graded solutions of the test split with verifier scores. `ece` is over the verdicts of the adaptive
search that runs to its own end; `worst_target_shortfall_points` is over the targets 0.5 to 0.95: by how many points the
accuracy of the searches that stopped because they had reached a target lies below that target (negative: above it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from domain.calibration import Calibration
from domain.recipe import StrategySpec
from domain.specs.adaptive import Adaptive
from domain.specs.parallel import BestOfN, SelfConsistency
from evaluation.calibration_fit.check import TARGETS, Bin, expected_calibration_error, reliability
from evaluation.calibration_fit.given import given
from evaluation.calibration_fit.playback import Played, play
from evaluation.calibration_fit.traces import GradedProblem
from evaluation.report import RESULTS, finish, say

Pairs = list[tuple[float, bool]]


def measure(problems: Sequence[GradedProblem], calibration: Calibration, seeds: int) -> dict[str, Any]:
    """Everything that the page shows; a seed is an order in which each problem's solutions come."""
    most = min(len(one.samples) for one in problems)
    sizes = min(16, most)
    searches: dict[str, StrategySpec] = {
        "adaptive": Adaptive(n=most),
        "best_of_n": BestOfN(n=sizes),
        "self_consistency": SelfConsistency(n=sizes),
    }
    domains: dict[str, Pairs] = {}
    found: dict[str, Any] = {}
    for name, spec in searches.items():
        played = _played(problems, spec, calibration, seeds, None)
        pairs = [(one.verdict.confidence, one.right) for _, one in played]
        found[name] = {"ece": _ece(pairs), "bins": [asdict(bar) for bar in reliability(pairs)]}
        say(f"{name}: ECE {found[name]['ece']:.3f} over {len(pairs)} verdicts")
        if name == "adaptive":
            for problem, one in played:
                domains.setdefault(problem.subject, []).append((one.verdict.confidence, one.right))
    targets = [_target(problems, Adaptive(n=most), calibration, seeds, target) for target in TARGETS]
    return {
        "ece": found["adaptive"]["ece"],
        "worst_target_shortfall_points": max(
            (100 * (one["target"] - one["accuracy"]) for one in targets if one["accuracy"] is not None), default=None
        ),
        "targets": targets,
        "strategies": found,
        "domains": {name: {"ece": _ece(pairs), "n": len(pairs)} for name, pairs in sorted(domains.items())},
    }


def _played(
    problems: Sequence[GradedProblem],
    spec: StrategySpec,
    calibration: Calibration,
    seeds: int,
    target: float | None,
) -> list[tuple[GradedProblem, Played]]:
    cost = calibration.score_cost
    return [
        (one, play(one, spec, calibration, order=order, target=target, score_cost=cost))
        for one in problems
        for order in range(seeds)
    ]


def _target(
    problems: Sequence[GradedProblem], spec: StrategySpec, calibration: Calibration, seeds: int, target: float
) -> dict[str, Any]:
    played = [one for _, one in _played(problems, spec, calibration, seeds, target)]
    sure = [one for one in played if one.stopped_sure]
    accuracy = sum(one.right for one in sure) / len(sure) if sure else None
    say(f"target {target}: {len(sure)} of {len(played)} stopped for it, accuracy {accuracy}")
    return {
        "target": target,
        "stopped": len(sure),
        "of": len(played),
        "accuracy": accuracy,
        "mean_cost": sum(one.cost for one in played) / len(played),
    }


def _ece(pairs: Pairs) -> float:
    return expected_calibration_error(reliability(pairs))


def table(result: dict[str, Any]) -> str:
    lines = ["| target | stopped for it | accuracy of those | mean cost in samples |", "|---|---|---|---|"]
    for one in result["targets"]:
        accuracy = "none" if one["accuracy"] is None else f"{one['accuracy']:.3f}"
        lines.append(f"| {one['target']} | {one['stopped']} of {one['of']} | {accuracy} | {one['mean_cost']:.1f} |")
    lines += ["", "| verdicts of | ECE |", "|---|---|"]
    lines += [f"| {name} | {one['ece']:.3f} |" for name, one in result["strategies"].items()]
    lines += [f"| adaptive, {name} ({one['n']}) | {one['ece']:.3f} |" for name, one in result["domains"].items()]
    return "\n".join(lines)


def draw(strategies: dict[str, Any], folder: Path) -> None:
    """The reliability diagram, as PNG and SVG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 5))
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for name, one in strategies.items():
        bars = [Bin(**bar) for bar in one["bins"]]
        axes.plot([bar.confidence for bar in bars], [bar.accuracy for bar in bars], marker="o", label=name)
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("png", "svg"):
        figure.savefig(folder / f"reliability.{kind}", dpi=150, bbox_inches="tight")
    pyplot.close(figure)


def main() -> None:
    told = given("calibration", "Reliability of the confidence on held-out problems.")
    result = measure(told.problems, told.calibration, told.seeds)
    result["problems"] = len(told.problems)
    if told.full:
        draw(result["strategies"], RESULTS / "calibration")
    finish("calibration", told.command, result, table(result), full=told.full)


if __name__ == "__main__":
    main()
