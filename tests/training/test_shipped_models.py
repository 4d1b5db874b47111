"""The models in `models/`: they load as any other model does, the policy can do easy problems, the verifier ranks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from domain.settings import MODELS
from training.metrics import Graded, best, within_problem_auc
from training.problems.checker import is_right
from training.sampling import Draw, sample_solutions, score_solutions
from training.splits import held_out_problems
from training.store import weights_hash

POLICY, VERIFIER = MODELS / "policy", MODELS / "verifier"
EASY = held_out_problems(20)[:20]
DRAW = Draw(count=8, temperature=0.8, seed=7)


@pytest.fixture(scope="module")
def sampled() -> list[list[Any]]:
    from inference.engines.factory import load_policy

    return sample_solutions(load_policy(str(POLICY), threads=1, device="cpu", rows=192), EASY, DRAW)


def test_they_load_by_from_pretrained_and_know_their_end_token() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    policy = AutoModelForCausalLM.from_pretrained(POLICY)
    tokenizer = AutoTokenizer.from_pretrained(POLICY)
    assert GenerationConfig.from_pretrained(POLICY).eos_token_id == tokenizer.eos_token_id == policy.config.eos_token_id
    assert tokenizer.chat_template is None
    verifier = AutoModelForCausalLM.from_pretrained(VERIFIER)
    assert all(torch.isfinite(weight).all() for model in (policy, verifier) for weight in model.parameters())


@pytest.mark.parametrize("folder", [POLICY, VERIFIER], ids=lambda folder: folder.name)
def test_the_manifest_is_of_these_weights(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["weights_sha256"] == weights_hash(folder)
    assert manifest["command"].startswith("python -m training.first_model")
    assert (folder / "README.md").read_text().startswith("# ")


def test_all_of_it_is_small() -> None:
    assert sum(path.stat().st_size for path in MODELS.rglob("*") if path.is_file()) < 10_000_000


def test_the_policy_solves_easy_problems_most_of_the_time(sampled: list[list[Any]]) -> None:
    rights = [
        is_right(example.problem, item.text) for example, items in zip(EASY, sampled, strict=True) for item in items
    ]
    assert sum(rights) / len(rights) > 0.5


def test_the_verifier_ranks_right_above_wrong(sampled: list[list[Any]]) -> None:
    from inference.verifiers.factory import load_verifier

    finished = [
        [(example, item) for item in items if item.answer is not None]
        for example, items in zip(EASY, sampled, strict=True)
    ]
    pairs = [(example.problem, item.text) for group in finished for example, item in group]
    scorer = load_verifier(str(VERIFIER), threads=1, device="cpu")
    scores = iter(score.scores[-1] for score in score_solutions(scorer, pairs))
    graded = [
        [Graded(item.answer.key, item.answer.text == example.answer, next(scores)) for example, item in group]
        for group in finished
    ]
    assert within_problem_auc(graded).mean > 0.6
    assert sum(best(items) for items in graded) >= 14
