"""`python -m evaluation.calibration` and `evaluation.allocation`: what is read off, and scripted runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import evaluation.allocation
import evaluation.calibration
import evaluation.curving.session
from domain.budget import Spend
from evaluation.calibration import measure
from evaluation.curving.methods import ASKED, JUDGED
from evaluation.curving.rows import CHECKER, VERIFIER, Row, row
from evaluation.curving.session import of_session
from evaluation.quality.collect import Models
from evaluation.quality.problems import TEST, read_items

ITEMS = tuple(read_items(TEST)[:40])


def judged(name: str, at: int, confidence: float, right: bool, reason: str = "complete") -> Row:
    unit = (name, VERIFIER, 64, 1, ITEMS[at].id)
    return row(unit, Spend(flops=1e9), right=right, seconds=0.0, reason=reason, confidence=confidence)


def test_error_and_shortfall_are_those_of_the_rows() -> None:
    rows = [judged(JUDGED[0].name, at, 0.75, at % 2 == 0) for at in range(40)]
    rows += [judged(ASKED[2].name, at, 0.85, at % 4 != 0, "confidence") for at in range(40)]
    rows += [judged(ASKED[4].name, at, 0.2, False, "below_confidence") for at in range(40)]
    found = measure(rows, ITEMS)
    assert found["ece"] == pytest.approx(0.25)
    assert found["ece_interval"][0] < 0.25 < found["ece_interval"][1]
    assert [(one["target"], one["stopped"], one["accuracy"]) for one in found["targets"]] == [
        (0.8, 40, 0.75),
        (0.95, 0, None),
    ]
    assert found["worst_target_shortfall_points"] == pytest.approx(5.0)
    assert sum(one["n"] for one in found["domains"].values()) == 40


def test_the_exact_checkers_rows_of_a_shared_journal_are_left_out() -> None:
    """They have the same method, budget, seed and problem, and better answers."""
    mine = judged(JUDGED[0].name, 0, 0.5, False)
    others = [replace(mine, arm=CHECKER, right=True), replace(mine, seed=2), replace(mine, problem="another")]
    assert of_session([others[0], mine, *others[1:]], ITEMS, (1,)) == [mine]


@pytest.mark.parametrize("module", [evaluation.calibration, evaluation.allocation])
def test_a_run_on_scripted_models_ends_with_its_keys(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    models = Models("scripted:accuracy=0.6,seed=3", "scripted:auc=0.9,seed=3")
    monkeypatch.setattr(evaluation.curving.session, "models_in", lambda _: models)
    monkeypatch.setattr(evaluation.curving.session, "QUICK_PROBLEMS", 5)
    monkeypatch.setattr("sys.argv", ["it", "--quick", "--journal", str(tmp_path / "journal")])
    assert module.main() == 0
    last = json.loads(capsys.readouterr().out.strip().split("\n")[-1])
    keys = {"ece", "targets"} if module is evaluation.calibration else {"compute_ratio_at_equal_accuracy", "references"}
    assert keys <= set(last)
    assert (last["problems"], last["left_out"]) == (5, [])
