"""The result as Markdown: every number with its 95 % interval, and how it was made above it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evaluation.quality.result import Result
from evaluation.quality.summary import SIZES, Sheet
from evaluation.statistics import Interval

_POINTS = {
    "prm_minus_majority_16_hard": "weighted best-of-16 minus majority of 16, harder three of five bins",
    "prm_minus_majority_16": "weighted best-of-16 minus majority of 16, all problems",
    "prm_minus_orm_64": "PRM minus ORM, both weighted best-of-64",
    "prm_minus_sequence_probability_16": "PRM minus sequence probability, both weighted best-of-16",
    "prm_minus_sequence_probability_16_best": "weighted best-of-16 minus the likeliest of 16",
}
_RANKING = {
    "prm_within_problem_auc": "PRM: AUC within a problem",
    "orm_within_problem_auc": "ORM: AUC within a problem",
    "sequence_within_problem_auc": "sequence probability of the verifier's own language model: AUC within a problem",
    "checker_within_problem_auc": "exact step checker: AUC within a problem",
    "within_problem_auc_ratio": "PRM's as a share of the exact checker's",
    "prm_global_auc": "PRM: AUC over all solutions (no gate)",
    "orm_global_auc": "ORM: AUC over all solutions (no gate)",
    "prm_ece": "PRM: expected calibration error of the last score, ten bins",
    "first_error_f1": "first error: F1 as in ProcessBench",
    "first_error_accuracy_wrong": "first error found in solutions with an error",
    "first_error_accuracy_right": "sound solutions accepted",
}
_REVISER = {
    "reviser_right_to_wrong": "right attempts turned wrong by the next revision",
    "reviser_wrong_to_right": "wrong attempts turned right by the next revision",
    "reviser_last_minus_first": "pass@1 of the last attempt minus that of the first",
}


def tables(sheet: Sheet, result: Result) -> str:
    return "\n\n".join(_parts(sheet, result))


def _parts(sheet: Sheet, result: Result) -> Iterator[str]:
    found = result.found
    yield heading(result)
    yield _gates(result)
    yield "## By level"
    yield _table(["", *found["pass1"]], list(_levels(sheet, found)))
    yield "## By measured difficulty (quintiles of pass@1, 1 the easiest)"
    yield _table(["", *found["pass1_by_bin"]], [_row(name, found[key]) for name, key in _BINS.items()])
    yield "## Accuracy by number of solutions, all problems"
    yield _table(["", *(f"N = {n}" for n in SIZES)], list(_curves(found)))
    yield _table(["weighted best-of-64 by aggregation", *found["weighted_64_by_aggregation"]], [
        _row("PRM", found["weighted_64_by_aggregation"])
    ])  # fmt: skip
    yield _table(["difference", "points"], [[name, _points(found[key])] for key, name in _POINTS.items()])
    yield "## Ranking, calibration, first errors"
    yield _table(["", ""], [[name, str(found[key])] for key, name in _RANKING.items()])
    yield "## The reviser's chain"
    yield _table(["attempt", *found["reviser_chain"]], [_row("pass@1", found["reviser_chain"])])
    yield _table(["", ""], [[name, str(found[key])] for key, name in _REVISER.items()])


_BINS = {
    "pass@1": "pass1_by_bin",
    "majority of 16": "majority_16_by_bin",
    "PRM, weighted best-of-16": "weighted_16_by_bin",
}


def heading(result: Result) -> str:
    facts = result.facts
    return (
        f"{facts['n']} test problems, {facts['samples']} solutions each, temperature {facts['temperature']:g}, seed "
        f"{facts['seed']}; {facts['chains']} chain(s) of revisions each; {facts['finished_share']:.1%} of the "
        f"solutions finished, {facts['distinct_share']:.1%} distinct, {facts['mean_tokens']:.0f} tokens on average; "
        f"{facts['seconds']:.0f} s in {facts['workers']} process(es) of one thread. In brackets: 95 % intervals over "
        "problems (paired bootstrap; Wilson where each problem gives one yes or no). A step counts as wrong below "
        f"{facts['first_error_threshold']}, chosen on the calibration split."
    )


def _gates(result: Result) -> str:
    return _table(["gate", "holds"], [[name, "yes" if held else "**no**"] for name, held in result.gates.items()])


def _levels(sheet: Sheet, found: Mapping[str, Any]) -> Iterator[list[str]]:
    yield ["problems", *(str(sum(where)) for where in sheet.groups.values())]
    yield _row("pass@1", found["pass1"])
    for n, row in found["majority"].items():
        yield _row(f"majority of {n}", row)
    for n, row in found["pass_at"].items():
        yield _row(f"pass@{n}", row)


def _curves(found: Mapping[str, Any]) -> Iterator[list[str]]:
    majority = {"1": found["pass1"]["all"]} | {n: row["all"] for n, row in found["majority"].items()}
    yield _row("majority", majority)
    for arm, row in found["best_of_n"].items():
        yield _row(f"best-of-N, {arm}", row)
    for arm, row in found["weighted"].items():
        yield _row(f"weighted best-of-N, {arm}", row)
    yield _row("pass@N", {"1": found["pass1"]["all"]} | {n: row["all"] for n, row in found["pass_at"].items()})


def _row(name: str, row: Mapping[str, Interval]) -> list[str]:
    return [name, *map(str, row.values())]


def _points(one: Interval) -> str:
    return f"{one.value:+.1f} [{one.low:+.1f}, {one.high:+.1f}]" if one.known else "–"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
