"""Accuracy against FLOPs, overall and by level and measured difficulty, as PNG and SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.curving.methods import ADAPTIVE, BEST, EFFORT, MAJORITY, OPTIMAL, WEIGHTED
from evaluation.curving.rows import CHECKER, VERIFIER

MAIN = (MAJORITY, WEIGHTED, BEST, ADAPTIVE, EFFORT, OPTIMAL, "beam", "particles, sure steps once", "MCTS")
"""What is drawn where there is room for few."""


def draw(curves: Mapping[str, Any], folder: Path, date: str) -> dict[str, str]:
    """Titles by file name without its ending."""
    groups = list(dict.fromkeys(g for curve in curves.values() for point in curve.values() for g in point["accuracy"]))
    levels = [group for group in groups if group.startswith("level")]
    bins = [group for group in groups if group.startswith("bin")]
    shown = [f"{name}, {VERIFIER}" for name in MAIN]
    guided = [name for name in curves if name.endswith(CHECKER)]
    sheets: dict[str, tuple[str, Sequence[str], Sequence[str]]] = {
        "overall": ("Accuracy against FLOPs", ["all"], [name for name in curves if name.endswith(VERIFIER)]),
        "checker": ("Accuracy against FLOPs, guided by the exact checker", ["all"], guided),
        "levels": ("Accuracy against FLOPs by level", levels, shown),
        "bins": ("Accuracy against FLOPs by measured difficulty (quintiles of pass@1)", bins, shown),
    }
    drawn = {f"{date}-{name}": one for name, one in sheets.items() if one[1]}
    for name, (title, panels, methods) in drawn.items():
        sheet(folder / name, title, panels, {one: curves[one] for one in methods if one in curves})
    return {name: title for name, (title, _, _) in drawn.items()}


def sheet(path: Path, title: str, panels: Sequence[str], curves: Mapping[str, Any]) -> None:
    """One figure with a panel for each group."""
    from matplotlib.figure import Figure  # without pyplot: no window system is looked for
    from matplotlib.ticker import NullFormatter

    size = (9.0, 5.6) if len(panels) == 1 else (4.2 * len(panels), 4.6)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title)
    for at, group in enumerate(panels, start=1):
        axes = figure.add_subplot(1, len(panels), at, sharey=figure.axes[0] if figure.axes else None)
        for number, (name, curve) in enumerate(curves.items()):
            line(axes, _points(curve, group), f"{name.removesuffix(f', {VERIFIER}')} ({_problems(curve)})", number)
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("FLOPs a problem")
        axes.set_title(group if len(panels) > 1 else "")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("share of problems solved")
    figure.axes[-1].legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    for ending in ("png", "svg"):
        figure.savefig(f"{path}.{ending}", dpi=130)


def _problems(curve: Mapping[Any, Any]) -> str:
    """How many problems it is of: curves of other problems lie elsewhere for that alone."""
    least, most = min(found := [one["problems"] for one in curve.values()]), max(found)
    return str(most) if least == most else f"{least}–{most}"


def _points(curve: Mapping[Any, Any], group: str) -> list[tuple[float, list[float]]]:
    """FLOPs, and accuracy with its interval, by rising cost."""
    found = [(one["flops"][group], one["accuracy"][group]) for one in curve.values() if one["accuracy"].get(group)]
    return sorted(found)


def line(axes: Any, points: Sequence[tuple[float, Sequence[float]]], name: str, number: int) -> None:
    """One curve with its intervals."""
    if not points:
        return
    values = [found[0] for _, found in points]
    reach = [[max(0.0, f[0] - f[1]) for _, f in points], [max(0.0, f[2] - f[0]) for _, f in points]]
    style: dict[str, Any] = {"marker": "osv^D<>pX*"[number % 10], "linestyle": ("-", "--", ":")[number // 10 % 3]}
    axes.errorbar(
        [flops for flops, _ in points], values, yerr=reach, markersize=3.5, capsize=1.5, linewidth=1.1,
        elinewidth=0.5, color=f"C{number % 10}", label=name, **style,
    )  # fmt: skip
