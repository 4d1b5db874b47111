"""Accuracy against the number of solutions, the verifier's reliability, and the reviser's chain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evaluation.quality.arms import CHECKER, ORM, SEQUENCE, prm
from evaluation.quality.calibrated import reliability
from evaluation.quality.result import Result
from evaluation.quality.summary import SIZES, Sheet
from evaluation.statistics import Interval


def draw_figures(sheet: Sheet, result: Result, folder: Path, date: str) -> dict[str, str]:
    """Titles by file name without its ending; each is written as PNG and SVG."""
    figures: dict[str, tuple[str, Callable[[Any], None]]] = {
        f"{date}-accuracy": ("Accuracy by number of solutions", lambda axes: accuracy(axes, result)),
        f"{date}-reliability": ("Reliability of the verifier's last score", lambda axes: reliable(axes, sheet)),
        f"{date}-chain": ("The reviser's chain", lambda axes: chain(axes, result)),
    }
    for name, (title, draw) in figures.items():
        _draw(folder / name, title, draw)
    return {name: title for name, (title, _) in figures.items()}


def _draw(path: Path, title: str, draw: Callable[[Any], None]) -> None:
    from matplotlib.figure import Figure  # without pyplot: no window system is looked for

    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.grid(alpha=0.3)
    draw(axes)
    for ending in ("png", "svg"):
        figure.savefig(f"{path}.{ending}", dpi=130)


def accuracy(axes: Any, result: Result) -> None:
    found = result.found
    first = {"1": found["pass1"]["all"]}
    curves = {
        "pass@N": first | {n: row["all"] for n, row in found["pass_at"].items()},
        "exact checker, best-of-N": found["best_of_n"][CHECKER],
        "PRM, best-of-N": found["best_of_n_last"],
        "PRM, weighted": found["weighted"][prm("last")],
        "ORM, weighted": found["weighted"][ORM],
        "sequence probability, weighted": found["weighted"][SEQUENCE],
        "majority": first | {n: row["all"] for n, row in found["majority"].items()},
    }
    for at, (name, curve) in enumerate(curves.items()):
        # A little apart, so that intervals don't cover each other.
        _line(axes, {int(n) * 1.02**at: one for n, one in curve.items()}, name)
    axes.set_xscale("log", base=2)
    axes.set_xticks(SIZES, [str(n) for n in SIZES])
    axes.set_xlabel("solutions of each problem (N)")
    axes.set_ylabel("share of problems")
    axes.legend(fontsize="small")


def reliable(axes: Any, sheet: Sheet) -> None:
    found = reliability(sheet.arms[prm("last")], sheet.bootstrap)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="a score that means what it says")
    _line(axes, dict(zip(found.scores, found.shares, strict=True)), f"PRM (ECE {found.ece})")
    axes.set_xlabel("mean score of the last step")
    axes.set_ylabel("share of solutions that are right")
    axes.legend(fontsize="small")


def chain(axes: Any, result: Result) -> None:
    _line(axes, {int(at): one for at, one in result.found["reviser_chain"].items()}, "pass@1")
    turned = result.found["reviser_right_to_wrong"]
    axes.set_xlabel(f"attempt (0: plain; right turned wrong by one revision: {turned})")
    axes.set_ylabel("share of problems")


def _line(axes: Any, curve: Mapping[Any, Interval], name: str) -> None:
    known = {at: one for at, one in curve.items() if one.known}
    if known:
        values = [one.value for one in known.values()]
        reach = [
            [max(0.0, one.value - one.low) for one in known.values()],
            [max(0.0, one.high - one.value) for one in known.values()],
        ]
        axes.errorbar(list(known), values, yerr=reach, marker="o", markersize=4, capsize=2, linewidth=1.3, label=name)
