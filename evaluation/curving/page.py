"""The result as Markdown and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

NUMBERS = ("tokens", "prompt_tokens", "cached_tokens", "rollouts", "verifier_calls", "seconds", "problems", "searches")


def markdown(result: Mapping[str, Any]) -> str:
    return "\n\n".join(_parts(result))


def _parts(result: Mapping[str, Any]) -> Iterator[str]:
    yield _how(result)
    yield "## What is asked"
    yield table(["key", "value"], [[key, text(result[key])] for key in _keys(result)])
    yield (
        "`…_flops_ratio`: FLOPs at the accuracy of weighted best-of-`reference_n` over its FLOPs (read between points,"
        " linear in log FLOPs). `…_vs_plateau`: the same with the smallest n whose accuracy is that of the reference"
        " within noise. `…_within_noise`: the cheapest point that is not worse than the reference within noise, against"
        " that n. Best-of-n scores equal texts once. `worst_harm_points`: the largest loss of"
        " a method that is on by default against weighted best-of-n at equal cost on a level."
    )
    yield "## Largest loss against weighted best-of-n at equal cost, by method (points, on a level)"
    harm = result["harm_by_method"].values()
    yield table(["method", "level", "n", "points"], [[text(value) for value in one.values()] for one in harm])
    yield "## Accuracy and cost"
    yield points_table(result["curves"])


def points_table(curves: Mapping[str, Any]) -> str:
    """Every point of every curve, with the accuracy on each group of problems."""
    return table(_point_head(curves), list(_point_lines(curves)))


def _how(result: Mapping[str, Any]) -> str:
    left = result["left_out"]
    lines = [
        f"{result['n']} problems of the test split ({result['live_n']} for methods that expand steps), "
        f"seeds {', '.join(map(str, result['seeds']))}, temperature {result['temperature']:g}, at most "
        f"{result['max_tokens']} tokens a solution; {result['calibration']}.",
        "FLOPs are 2 × parameters × tokens processed: prompts, generation, verification and probes, as the ledger"
        " charged them: of each search, a beginning that its calls share once. Intervals are paired 95 % bootstrap"
        " intervals over problems (Wilson's with one seed). Seconds"
        " are those of a search that shares the engines with others, and 0 where it was read off a pool. The exact"
        " checker's arm is charged what the verifier would be.",
        "Left out for want of time: " + ("; ".join(left) if left else "nothing") + ".",
    ]
    return "\n\n".join(lines)


def _keys(result: Mapping[str, Any]) -> list[str]:
    return [key for key in result if "ratio" in key or key.startswith(("worst", "plateau", "reference"))]


def text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) >= 1e4 else f"{value:.3f}"
    if isinstance(value, list) and len(value) == 3:
        return f"{value[0]:.3f} [{value[1]:.3f}, {value[2]:.3f}]"
    if isinstance(value, list):
        return ", ".join(map(text, value))
    if isinstance(value, dict):
        return "; ".join(f"{key}: {text(one)}" for key, one in value.items())
    return "–" if value is None else str(value)


def _groups(curves: Mapping[str, Any]) -> list[str]:
    points = [point for curve in curves.values() for point in curve.values()]
    return list(dict.fromkeys(group for point in points for group in point["accuracy"]))


def _point_head(curves: Mapping[str, Any]) -> list[str]:
    return ["method, arm", "n", "FLOPs", "tokens", "calls", "problems × seeds", *_groups(curves)]


def _point_lines(curves: Mapping[str, Any]) -> Iterator[list[str]]:
    groups = _groups(curves)
    for name, curve in curves.items():
        for n, point in curve.items():
            calls = f"{point['rollouts']:.1f} + {point['verifier_calls']:.1f}"
            yield [
                name, str(n), f"{point['flops']['all']:.3g}", f"{point['tokens']:.0f}", calls,
                f"{point['problems']} ({point['searches']})",
                *(text(point["accuracy"].get(group)) for group in groups),
            ]  # fmt: skip


def table(head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def write_csv(path: Path, curves: Mapping[str, Any]) -> None:
    """One line for each method, arm, n and group of problems."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["method, arm", "n", "group", "accuracy", "low", "high", "flops", *NUMBERS])
        for name, curve in curves.items():
            for n, point in curve.items():
                for group, found in point["accuracy"].items():
                    overall = [point[key] for key in NUMBERS] if group == "all" else [""] * len(NUMBERS)
                    writer.writerow([name, n, group, *(found or [""] * 3), point["flops"][group], *overall])
