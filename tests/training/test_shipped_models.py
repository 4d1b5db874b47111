"""The models in `models/`: they load as any other model does, the policy solves easy problems, the verifier ranks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from domain.ports import SampleRequest, ScoreRequest
from domain.settings import MODELS
from inference.answers.extract import answer_of
from inference.prompts import plain_prompt
from inference.verifiers.ranking import within_auc
from training.artifacts.checksums import verify_sums, weights_sha256
from training.pipeline.run import parameters
from training.pipeline.stages import Stages
from training.problems.files import read_problems

POLICY, VERIFIER = MODELS / "policy", MODELS / "verifier"
LANGUAGE_MODELS = ("policy", "verifier", "small", "large")
EASY = [one for one in read_problems(MODELS.parent / "examples" / "problems.jsonl") if one.level in (1, 2)]
SAMPLES = 8


def drained(core: Any, requests: list[Any]) -> dict[str, Any]:
    for request in requests:
        core.add(request)
    found: dict[str, Any] = {}
    while core.pending:
        found |= {result.key: result for result in core.step()}
    return found


@pytest.fixture(scope="module")
def sampled() -> list[list[Any]]:
    from inference.engines.factory import load_policy

    requests = [
        SampleRequest(f"{at}/{n}", item.problem, "", seed=1000 * at + n, max_tokens=256)
        for at, item in enumerate(EASY)
        for n in range(SAMPLES)
    ]
    found = drained(load_policy(str(POLICY), threads=1, device="cpu"), requests)
    return [[found[f"{at}/{n}"] for n in range(SAMPLES)] for at in range(len(EASY))]


def rights(sampled: list[list[Any]]) -> list[list[bool]]:
    return [
        [one.answer is not None and one.answer.key == _key(item.answer) for one in some]
        for item, some in zip(EASY, sampled, strict=True)
    ]


def _key(answer: str) -> str:
    found = answer_of(answer)
    assert found is not None
    return found.key


@pytest.mark.parametrize("name", LANGUAGE_MODELS)
def test_they_load_by_from_pretrained_and_know_their_end_token(name: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    folder = MODELS / name
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert GenerationConfig.from_pretrained(folder).eos_token_id == tokenizer.eos_token_id == model.config.eos_token_id
    assert tokenizer.chat_template is None
    assert all(torch.isfinite(weight).all() for weight in model.parameters())
    prompt = plain_prompt("What is 7 + 8?", ["7 + 8 = 14"])
    assert tokenizer.decode(tokenizer(prompt)["input_ids"]) == prompt


@pytest.mark.parametrize("name", Stages.names)
def test_each_folder_is_whole_and_its_manifest_is_of_these_weights(name: str) -> None:
    folder = MODELS / name
    assert verify_sums(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["weights_sha256"] == weights_sha256(folder)
    assert manifest["command"] in (folder / "README.md").read_text()


def test_together_they_are_small() -> None:
    assert sum(path.stat().st_size for path in Path(MODELS).rglob("*") if path.is_file()) <= 40_000_000


def test_the_pair_is_of_sizes_that_differ_about_14_times() -> None:
    assert 12 < parameters(MODELS / "large") / parameters(MODELS / "small") < 16


def test_one_checkpoint_solves_and_revises(sampled: list[list[Any]]) -> None:
    """Shown right attempts, it seldom turns from them; a policy that can't read them would start again from nothing."""
    from inference.engines.factory import load_policy

    right = rights(sampled)
    shown = [
        (at, some[good.index(True)].text)
        for at, (some, good) in enumerate(zip(sampled, right, strict=True))
        if any(good)
    ]
    requests = [
        SampleRequest(str(at), EASY[at].problem, "", seed=at, max_tokens=256, attempts=(text,)) for at, text in shown
    ]
    found = drained(load_policy(str(POLICY), threads=1, device="cpu"), requests)
    kept = [found[str(at)].answer is not None and found[str(at)].answer.key == _key(EASY[at].answer) for at, _ in shown]
    plain = [good for some in right for good in some]
    assert sum(kept) / len(kept) > sum(plain) / len(plain)


def test_the_policy_solves_easy_problems_often(sampled: list[list[Any]]) -> None:
    found = [right for some in rights(sampled) for right in some]
    assert sum(found) / len(found) > 0.35


def test_the_verifier_ranks_right_solutions_higher(sampled: list[list[Any]]) -> None:
    from inference.verifiers.factory import load_verifier

    scorer = load_verifier(str(VERIFIER), threads=1, device="cpu")
    pairs = [(at, n) for at, some in enumerate(sampled) for n, one in enumerate(some) if one.answer is not None]
    requests = [ScoreRequest(f"{at}/{n}", EASY[at].problem, sampled[at][n].text) for at, n in pairs]
    scores = drained(scorer, requests)
    graded: dict[int, tuple[list[float], list[float]]] = {}
    right = rights(sampled)
    for at, n in pairs:
        graded.setdefault(at, ([], []))[0 if right[at][n] else 1].append(scores[f"{at}/{n}"].scores[-1])
    found = [auc for auc in (within_auc(*parts) for parts in graded.values()) if auc is not None]
    assert sum(found) / len(found) > 0.75
