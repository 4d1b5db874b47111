"""`python -m evaluation.calibration` and `evaluation.allocation`: what is read off searches, and scripted runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import evaluation.allocation
import evaluation.calibration
import evaluation.curving.session
from domain.budget import Spend
from evaluation.allocation import Searched, allocated, summary
from evaluation.calibration import measure
from evaluation.curving.bench import Bench
from evaluation.curving.methods import ASKED, BOUGHT, JUDGED
from evaluation.curving.pools import Sampling
from evaluation.curving.rows import VERIFIER, Row, row
from evaluation.quality.collect import Models
from evaluation.quality.problems import TEST, read_items
from tests.support.calibration import hand_made

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


EASY = [[0.0, 0.0, 1.0, 1.0]]
SOON = [[0.5, 2.0, 1.0, 0.0], [0.1, 4.0, 3.0, 1.0], [0.0, 0.0, 7.0, 1.0]]
NEVER = [[0.2, 2.0, 1.0, 0.0], [0.3, 8.0, 3.0, 0.0], [0.0, 0.0, 11.0, 0.0]]


def test_a_budget_is_spent_where_it_gains_most_and_never_exceeded() -> None:
    paths = [EASY, SOON, NEVER]
    assert allocated(paths, 3.0) == (1 / 3, 1.0, 0.0)
    accuracy, cost, price = allocated(paths, 5.0)
    assert (accuracy, cost, price) == (2 / 3, 5 / 3, 0.25)
    for budget in range(3, 20):
        assert 3 * allocated(paths, float(budget))[1] <= budget


def test_the_saving_is_read_between_the_points_of_the_curve() -> None:
    searched = Searched([EASY, SOON], {n: [(float(n), True), (float(n), n >= 16)] for n in evaluation.allocation.SIZES})
    found = summary(evaluation.allocation.measure([searched]))
    assert found["reference_n"] == 16
    assert found["compute_ratio_at_equal_accuracy"] == pytest.approx(2.0 / 16)
    assert found["relative_gain_at_equal_compute"] == 0.0


def test_a_path_has_each_decision_and_the_end() -> None:
    async def run() -> Row:
        bench = Bench.open("scripted:accuracy=0.4,seed=3", "scripted:auc=0.8,seed=3", Sampling(0.8, 384))
        bench.calibration = hand_made()
        try:
            return await bench.run((BOUGHT.name, VERIFIER, 64, 1, ITEMS[0].id), ITEMS[0])
        finally:
            await bench.close()

    found = asyncio.run(run())
    assert found.path is not None
    spent = [spent for _, _, spent, _ in found.path]
    assert spent == sorted(spent)
    assert spent[-1] == found.flops
    assert found.path[-1] == [0.0, 0.0, found.flops, float(found.right)]


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
    keys = {"ece", "targets"} if module is evaluation.calibration else {"compute_ratio_at_equal_accuracy", "even"}
    assert keys <= set(last)
    assert (last["problems"], last["left_out"]) == (5, [])
