"""The step-likelihood verifier against an independent slow path: one solution, one token at a time, plain Python."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from domain.errors import ConfigurationError
from domain.moves import split_steps
from domain.ports import ScoreRequest, StepScores
from inference.checks import VERIFIER_FORMAT, VERIFIER_HEAD
from inference.prompts import prompt_ids, text_ids
from inference.verifiers.factory import load_verifier
from inference.verifiers.likelihood_features import FEATURES
from inference.verifiers.step_likelihood import LikelihoodHead
from tests.support.tiny_models import character_tokenizer, tiny_config

PROBLEM = "What is 1 + 2?"
SOLUTIONS = ["1 + 2 = 3\n\nThe answer is 3.", "4", "1\n\n2\n\n3\n\n12345"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import LlamaForCausalLM

    path = tmp_path_factory.mktemp("verifier")
    tokenizer = character_tokenizer()
    torch.manual_seed(3)
    LlamaForCausalLM(tiny_config()).save_pretrained(path)
    tokenizer.save_pretrained(path)
    head = LikelihoodHead()
    head.mean.copy_(torch.linspace(-1, 1, len(FEATURES)))
    head.spread.copy_(torch.linspace(1, 3, len(FEATURES)))
    head.save(path)
    return path


def test_scores_are_those_of_an_independent_path(folder: Path) -> None:
    verifier = load_verifier(str(folder), threads=1, device="cpu")
    for index, solution in enumerate(SOLUTIONS):
        verifier.add(ScoreRequest(str(index), PROBLEM, solution))
    results: dict[str, Any] = {}
    while verifier.pending:
        results |= {one.key: one for one in verifier.step()}
    for index, solution in enumerate(SOLUTIONS):
        result = results[str(index)]
        assert isinstance(result, StepScores)
        assert result.scores == pytest.approx(slow_scores(folder, solution), abs=1e-3)
        assert result.cost.verifier_calls == 1
        assert result.cost.flops == 2.0 * verifier.info.parameters * result.cost.verified_tokens


def slow_scores(folder: Path, solution: str) -> list[float]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    head = LikelihoodHead()
    from safetensors.torch import load_file

    head.load_state_dict(load_file(folder / VERIFIER_HEAD))
    ids, seen, scores = prompt_ids(tokenizer, PROBLEM), [], []
    for step in split_steps(solution):
        own = []
        for token in text_ids(tokenizer, step):
            with torch.no_grad():
                logprobs = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1).tolist()
            entropy = -sum(math.exp(value) * value for value in logprobs)
            own.append((logprobs[token], logprobs[token] - max(logprobs), entropy))
            ids = [*ids, token]
        ids = [*ids, *text_ids(tokenizer, "\n\n")]
        seen += own
        with torch.no_grad():
            scores.append(torch.sigmoid(head(torch.tensor(row_of(own, seen)))).item())
    return scores


def row_of(own: list[tuple[float, float, float]], seen: list[tuple[float, float, float]]) -> list[float]:
    logprobs, gaps, entropies = zip(*own, strict=True)
    count = len(own)
    return [
        min(logprobs), sum(logprobs) / count, sum(logprobs), min(gaps), sum(gaps) / count, max(entropies),
        sum(entropies) / count, min(one[0] for one in seen), sum(one[0] for one in seen), min(one[1] for one in seen),
        math.log1p(len(seen)),
    ]  # fmt: skip


def test_the_id_changes_with_the_head(folder: Path) -> None:
    before = load_verifier(str(folder), threads=1, device="cpu").info.id
    head = LikelihoodHead()
    head.save(folder)
    assert load_verifier(str(folder), threads=1, device="cpu").info.id != before


@pytest.mark.parametrize("damage", ["format", "features", "cut", "missing"])
def test_a_damaged_head_is_one_line_that_names_the_folder(folder: Path, damage: str) -> None:
    LikelihoodHead().save(folder)
    if damage in ("format", "features"):
        description = json.loads((folder / VERIFIER_FORMAT).read_text())
        (folder / VERIFIER_FORMAT).write_text(json.dumps(description | {damage: "another"}))
    elif damage == "cut":
        (folder / VERIFIER_HEAD).write_bytes((folder / VERIFIER_HEAD).read_bytes()[:-40])
    else:
        (folder / VERIFIER_HEAD).unlink()
    with pytest.raises(ConfigurationError, match=str(folder)) as caught:
        load_verifier(str(folder), threads=1, device="cpu")
    assert "\n" not in caught.value.message
