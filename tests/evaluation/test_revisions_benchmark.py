"""`python -m evaluation.revisions`: what it runs, what it prints, and that its journal is that of the reviser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import evaluation.curving.session
import evaluation.revisions
from evaluation.curves import setting
from evaluation.curving.methods import METHODS
from evaluation.curving.pools import Sampling
from evaluation.curving.rows import VERIFIER
from evaluation.quality.collect import Models
from evaluation.quality.problems import TEST, read_items
from evaluation.revisions import parts

ITEMS = tuple(read_items(TEST)[:3])


def test_everything_that_shows_attempts_is_run_beside_256_parallel_samples() -> None:
    found = parts(ITEMS, (7,))
    assert (found[0].pool, found[0].sizes[-1], found[0].seed) == (256, 256, 7)
    units = [unit for part in found for unit in part.units("p", checked=False)]
    assert {arm for _, arm, _, _, _ in units} == {VERIFIER}
    assert {name for name, *_ in units} == {
        name for name, one in METHODS.items() if hasattr(one.make(16), "attempts")
    }, "no more and no less than what the reviser works for"
    assert ("revisions 1:1", VERIFIER, 64, 7, "p") in units


def test_a_run_on_scripted_models_ends_with_its_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    models = Models("scripted:accuracy=0.6,seed=3", "scripted:auc=0.9,seed=3")
    monkeypatch.setattr(evaluation.curving.session, "models_in", lambda _: models)
    monkeypatch.setattr(evaluation.curving.session, "QUICK_PROBLEMS", 3)
    monkeypatch.setattr("sys.argv", ["it", "--quick", "--journal", str(tmp_path / "journal")])
    assert evaluation.revisions.main() == 0
    last = json.loads(capsys.readouterr().out.strip().split("\n")[-1])
    assert (last["problems"], last["left_out"]) == (3, [])
    assert last["revisions"]["parallel_n"] == 256
    assert last["revisions"]["best_ratio"].startswith("revisions")
    assert {"best-of-n weighted, verifier", "revision tree, verifier"} <= last["curves"].keys()


def test_only_what_revises_depends_on_the_reviser(tmp_path: Path) -> None:
    how, policy = Sampling(), tmp_path / "policy"
    (policy / "reviser").mkdir(parents=True)
    for folder in (policy, policy / "reviser"):
        (folder / "model.safetensors").write_bytes(b"weights")
    alone = {"policy": str(policy), "verifier": None}
    both = alone | {"reviser": str(policy / "reviser")}
    before = setting(alone, how, TEST), setting(both, how, TEST)
    (policy / "reviser" / "model.safetensors").write_bytes(b"others")
    after = setting(alone, how, TEST), setting(both, how, TEST)
    assert after[0] == before[0]
    assert after[1] != before[1]
