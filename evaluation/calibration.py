"""Whether a confidence means what it says, on problems that nothing was fitted on.

    python -m evaluation.calibration [--quick] [--models models] [--workers 1] [--seeds 1 2 3]

Searches run on the engines, as the service runs them, on the test split. `ece` is over the verdicts of the adaptive
search that runs to its own end; `worst_target_shortfall_points` is over the targets 0.5 to 0.95: by how many points the
accuracy of the searches that stopped because they had reached a target lies below that target (negative: above it).
Each has a 95 % bootstrap interval over problems.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from domain.verdict import StopReason
from evaluation.calibration_fit.check import Bin, expected_calibration_error, reliability
from evaluation.curving.methods import ASKED, JUDGED
from evaluation.curving.rows import Row
from evaluation.curving.session import session
from evaluation.curving.work import Part
from evaluation.quality.record import ProblemItem
from evaluation.report import RESULTS, finish

POOL = 16
DRAWS = 500
"""Bootstrap resamples."""
LEAST_SURE = 20
"""Searches that stopped for a target without which its accuracy says nothing."""


def parts(items: tuple[ProblemItem, ...], seeds: Sequence[int]) -> tuple[Part, ...]:
    names = tuple(one.name for one in (*JUDGED, *ASKED))
    return tuple(Part(f"verdicts, seed {seed}", items, seed, POOL, (), names, (16, 64)) for seed in seeds)


def measure(rows: Sequence[Row], items: Sequence[ProblemItem]) -> dict[str, Any]:
    """Everything that the page shows."""
    subjects = {item.id: item.subject for item in items}
    by_method: dict[str, list[Row]] = {}
    for row in rows:
        by_method.setdefault(row.method, []).append(row)
    own = by_method.get(JUDGED[0].name, [])
    found = {one.name: by_method[one.name] for one in JUDGED if one.name in by_method}
    targets = [_target(one.target, by_method[one.name]) for one in ASKED if one.target and one.name in by_method]
    domains = {name: [row for row in own if subjects[row.problem] == name] for name in sorted(set(subjects.values()))}
    return {
        "ece": _ece(own),
        "ece_interval": _interval(own, _ece),
        "worst_target_shortfall_points": _worst(targets),
        "targets": targets,
        "strategies": {
            name: {"ece": _ece(group), "bins": [asdict(bar) for bar in _bars(group)]} for name, group in found.items()
        },
        "domains": {name: {"ece": _ece(group), "n": len(group)} for name, group in domains.items() if group},
    }


def _worst(targets: Sequence[dict[str, Any]]) -> float | None:
    """Of the targets for which enough searches stopped."""
    known = [one for one in targets if one["stopped"] >= LEAST_SURE]
    return max((100 * (one["target"] - one["accuracy"]) for one in known), default=None)


def _target(target: float, rows: Sequence[Row]) -> dict[str, Any]:
    sure = [row for row in rows if row.reason == StopReason.CONFIDENCE.value]
    return {
        "target": target,
        "stopped": len(sure),
        "of": len(rows),
        "accuracy": _accuracy(sure),
        "accuracy_interval": _interval(sure, _accuracy),
        "mean_flops": sum(row.flops for row in rows) / len(rows),
    }


def _accuracy(rows: Sequence[Row]) -> float | None:
    return sum(row.right for row in rows) / len(rows) if rows else None


def _bars(rows: Sequence[Row]) -> list[Bin]:
    return reliability((row.confidence or 0.0, row.right) for row in rows)


def _ece(rows: Sequence[Row]) -> float | None:
    return expected_calibration_error(_bars(rows)) if rows else None


def _interval(rows: Sequence[Row], of: Callable[[Sequence[Row]], float | None]) -> list[float] | None:
    """Problems are resampled, with all their seeds."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.problem, []).append(row)
    if not groups:
        return None
    kept, draw = list(groups.values()), np.random.default_rng(0)
    drawn = [of([row for at in draw.integers(len(kept), size=len(kept)) for row in kept[at]]) for _ in range(DRAWS)]
    return [round(float(edge), 4) for edge in np.quantile([one for one in drawn if one is not None], (0.025, 0.975))]


def table(result: dict[str, Any]) -> str:
    lines = ["| target | stopped for it | accuracy of those | mean GFLOPs |", "|---|---|---|---|"]
    for one in result["targets"]:
        edges = one["accuracy_interval"]
        accuracy = "none" if edges is None else f"{one['accuracy']:.3f} [{edges[0]:.3f}, {edges[1]:.3f}]"
        lines.append(
            f"| {one['target']} | {one['stopped']} of {one['of']} | {accuracy} | {one['mean_flops'] / 1e9:.2f} |"
        )
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


def main() -> int:
    told = session("calibration", sys.argv[1:], __doc__, parts)
    if told is None:
        return 2
    result = measure(told.rows, told.items) | told.about
    if told.full:
        draw(result["strategies"], RESULTS / "calibration")
    finish("calibration", told.command, result, table(result), full=told.full)
    return 0


if __name__ == "__main__":
    sys.exit(main())
