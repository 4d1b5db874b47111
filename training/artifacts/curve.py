"""The loss of a run, as a picture and as a table beside the weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

PICTURE, TABLE = "loss.png", "loss.csv"
SMOOTHED_SHARE = 0.05
"""The smoothed line is an average over about this share of the points."""


def write_curve(folder: Path, points: Sequence[tuple[int, float]], title: str) -> None:
    """Writes PICTURE and TABLE from (step, loss); the same points give the same files."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = "".join(f"{step},{loss:.6g}\n" for step, loss in points)
    (folder / TABLE).write_text(f"step,loss\n{rows}", encoding="utf-8")
    figure = Figure(figsize=(7, 4))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.1, 0.13, 0.87, 0.78))
    steps, losses = [step for step, _ in points], [loss for _, loss in points]
    axes.plot(steps, losses, color="#9db4d0", linewidth=1, marker="." if len(points) < 50 else "", label="each step")
    axes.plot(steps, smoothed(losses), color="#1f4e8c", linewidth=2, label="smoothed")
    axes.set(title=title, xlabel="step", ylabel="training loss (nats)")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(folder / PICTURE, dpi=120, metadata={"Software": None})


def smoothed(losses: Sequence[float]) -> list[float]:
    """An exponential average without the bias of its beginning (as in Adam, arXiv 1412.6980)."""
    keep = 1 - 1 / max(1.0, SMOOTHED_SHARE * len(losses))
    total, weight, line = 0.0, 0.0, []
    for loss in losses:
        total, weight = keep * total + loss, keep * weight + 1
        line.append(total / weight)
    return line
