"""A report as Markdown tables, for model cards and the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.metrics import Estimate
    from training.report import Report

_NAMES = {
    "majority": "majority",
    "best_of_n_weighted": "best-of-N weighted",
    "best_of_n_best": "best-of-N (best single solution)",
    "pass": "pass@N (some solution is right)",
    "best_of_n_best, policy_log_probability": "baseline: best-of-N by the policy's own log-probability",
    "best_of_n_best, exact_checker": "ceiling: best-of-N by the exact step checker",
    "verifier": "the verifier",
    "policy_log_probability": "the policy's own log-probability",
    "exact_checker": "the exact step checker",
}


def as_markdown(report: Report) -> str:
    """Three tables: pass@1 by level, accuracy by N, and ranking within a problem."""
    problems = report.pass_at_1["all"].problems
    return "\n\n".join(
        (
            f"{problems} held-out problems, {report.samples} solutions each, temperature {report.temperature:g}; "
            "± is one standard error over problems.",
            pass_table(report.pass_at_1),
            accuracy_table(report.accuracy),
            auc_table(report.auc),
        )
    )


def pass_table(rates: Mapping[str, Estimate]) -> str:
    return _table(
        ["level", *rates],
        [
            ["pass@1", *(_shown(rate) for rate in rates.values())],
            ["problems", *(str(r.problems) for r in rates.values())],
        ],
    )


def accuracy_table(accuracy: Mapping[str, Mapping[int, Estimate]]) -> str:
    sizes = list(next(iter(accuracy.values())))
    rows = [[_NAMES[name], *(_shown(values[n]) for n in sizes)] for name, values in accuracy.items()]
    return _table(["accuracy", *(f"N = {n}" for n in sizes)], rows)


def auc_table(auc: Mapping[str, Estimate]) -> str:
    rows = [[_NAMES[name], _shown(value), str(value.problems)] for name, value in auc.items()]
    return _table(["scorer", "AUC within a problem", "problems with right and wrong solutions"], rows)


def _shown(value: Estimate) -> str:
    return "–" if math.isnan(value.mean) else f"{value.mean:.3f} ± {value.error:.3f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
