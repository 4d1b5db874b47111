"""Scores against an independent slow path: one unbatched forward pass a solution, positions found by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, LlamaForTokenClassification

from domain.errors import ConfigurationError, EngineError
from domain.moves import split_steps
from domain.ports import ScoreRequest, StepScores
from inference.checks import Head
from inference.engines.base import CallFailure
from inference.engines.paths import VARIABLE
from inference.loading import load
from inference.verifiers.factory import load_verifier
from inference.verifiers.kept_prefix import KeptPrefixVerifier
from inference.verifiers.paths import verifier_on
from inference.verifiers.token_classification import Limits, TokenClassificationVerifier
from tests.support.tiny_models import character_tokenizer, tiny_config

SOLUTIONS = [
    ("1+1?", "It is 2.\n\nSo \\boxed{2}."),
    ("What is 12 * (3 + 4)?", "3 + 4 = 7.\n\n12 * 7 = 84.\n\nThe answer is \\boxed{84}."),
    ("Sum.", "one step"),
    ("Runs of blank lines", "a\n\n\n\nb\n\n"),
]


PATHS = {"plain": TokenClassificationVerifier, "fast": KeptPrefixVerifier}


@pytest.fixture(scope="module", params=PATHS, autouse=True)
def path(request: pytest.FixtureRequest) -> Iterator[str]:
    """Everything here holds on both paths."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, request.param)
        yield request.param


@pytest.fixture(scope="module")
def verifier(verifier_folder: Path, path: str) -> TokenClassificationVerifier:
    verifier = load_verifier(str(verifier_folder), threads=1, device="cpu")
    assert type(verifier) is PATHS[path]
    return verifier


def slow_scores(folder: Path, problem: str, solution: str, separator: str = "\n\n") -> list[float]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForTokenClassification.from_pretrained(folder).eval()
    letters, ends = "Q: " + problem + "\nA:\n", []
    for step in [piece for piece in solution.split("\n\n") if piece]:
        letters += step + separator
        ends.append(len(letters))  # the start token moves every position by one
    ids = [tokenizer.bos_token_id, *(tokenizer.convert_tokens_to_ids(letter) for letter in letters)]
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0].double()
    return [(logits[end, 1].exp() / (logits[end, 0].exp() + logits[end, 1].exp())).item() for end in ends]


def run(verifier: TokenClassificationVerifier) -> dict[str, StepScores | CallFailure]:
    results = {}
    while verifier.pending:
        results |= {result.key: result for result in verifier.step()}
    return results


def test_golden_vectors(verifier: TokenClassificationVerifier, verifier_folder: Path) -> None:
    for index in range(12):
        problem, solution = SOLUTIONS[index % 4]
        verifier.add(ScoreRequest(f"k{index}", problem, solution))
    results = run(verifier)
    assert len(results) == 12
    for index in range(12):
        problem, solution = SOLUTIONS[index % 4]
        result = results[f"k{index}"]
        assert list(result.scores) == pytest.approx(slow_scores(verifier_folder, problem, solution), abs=1e-3)
        assert len(result.scores) == len(split_steps(solution))
    assert len({score for result in results.values() for score in result.scores}) > 5


def test_the_separator_comes_from_the_models_config(tmp_path: Path) -> None:
    torch.manual_seed(2)
    LlamaForTokenClassification(tiny_config(num_labels=2, step_separator="\n")).save_pretrained(tmp_path)
    character_tokenizer().save_pretrained(tmp_path)
    verifier = load_verifier(str(tmp_path), threads=1, device="cpu")
    verifier.add(ScoreRequest("k", *SOLUTIONS[1]))
    expected = slow_scores(tmp_path, *SOLUTIONS[1], separator="\n")
    assert list(run(verifier)["k"].scores) == pytest.approx(expected, abs=1e-3)


def test_limits_split_batches_and_change_no_score(verifier: TokenClassificationVerifier, verifier_folder: Path) -> None:
    loaded = load(str(verifier_folder), Head.TOKEN_CLASSIFICATION, threads=1, device="cpu")
    small = verifier_on(loaded, "tiny", Limits(rows=3, tokens=100))
    for scorer in (small, verifier):
        for index in range(20):
            scorer.add(ScoreRequest(f"k{index}", SOLUTIONS[index % 4][0], SOLUTIONS[index % 4][1] + "x" * index))
    few, many = run(small), run(verifier)
    for key, result in many.items():
        assert list(few[key].scores) == pytest.approx(list(result.scores), abs=1e-4)


def test_cost(verifier: TokenClassificationVerifier) -> None:
    verifier.add(ScoreRequest("k", "1+1?", "2"))
    cost = run(verifier)["k"].cost
    assert cost.verified_tokens == 1 + len("Q: 1+1?\nA:\n") + len("2\n\n")
    assert cost.flops == 2 * verifier.info.parameters * cost.verified_tokens
    assert (cost.verifier_calls, cost.rollouts, cost.generated_tokens) == (1, 0, 0)


def test_what_can_not_be_scored_is_refused(verifier: TokenClassificationVerifier) -> None:
    for solution, message in (("x" * 300, "reads 256"), ("", "no step"), (" \n\n ", "no step")):
        with pytest.raises(EngineError, match=message) as caught:
            verifier.add(ScoreRequest("k", "1+1?", solution))
        assert not caught.value.retryable
    assert verifier.pending == 0


def test_abort(verifier: TokenClassificationVerifier) -> None:
    verifier.add(ScoreRequest("gone", "1+1?", "2"))
    verifier.add(ScoreRequest("kept", "1+1?", "2"))
    verifier.abort(["gone", "unknown"])
    results = run(verifier)
    assert isinstance(results["gone"], CallFailure)
    assert isinstance(results["kept"], StepScores)


def test_a_score_that_is_no_number_is_a_failure(verifier_folder: Path) -> None:
    loaded = load(str(verifier_folder), Head.TOKEN_CLASSIFICATION, threads=1, device="cpu")
    with torch.no_grad():
        loaded.model.score.weight.fill_(float("nan"))
    verifier = verifier_on(loaded, "tiny", Limits())
    verifier.add(ScoreRequest("k", "1+1?", "2"))
    (result,) = run(verifier).values()
    assert isinstance(result, CallFailure)
    assert not result.retryable


def test_three_labels_are_refused(tmp_path: Path) -> None:
    LlamaForTokenClassification(tiny_config(num_labels=3)).save_pretrained(tmp_path)
    character_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ConfigurationError, match="3 labels"):
        load_verifier(str(tmp_path), threads=1, device="cpu")
