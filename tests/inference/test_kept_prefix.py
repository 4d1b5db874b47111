"""Kept beginnings change the work and nothing else: same scores, same costs, a bound on what is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForTokenClassification

from domain.ports import ScoreRequest, StepScores
from inference.checks import Head
from inference.engines.fast.segments import Segment, Segments
from inference.loading import load
from inference.verifiers.kept_prefix import KeptPrefixVerifier
from inference.verifiers.token_classification import Limits, TokenClassificationVerifier
from tests.support.tiny_models import character_tokenizer, tiny_config

STEPS = ["3 + 4 = 7.", "12 * 7 = 84.", "So 84.", "The answer is \\boxed{84}."]


def pair(folder: Path, **options: int) -> tuple[TokenClassificationVerifier, KeptPrefixVerifier]:
    loaded = load(str(folder), Head.TOKEN_CLASSIFICATION, threads=1, device="cpu")
    loaded = replace(loaded, tokenizer=character_tokenizer())  # the loader puts Qwen's own splitting into Qwen's one
    limits = Limits(rows=5)
    return TokenClassificationVerifier(loaded, "tiny", limits), KeptPrefixVerifier(loaded, "tiny", limits, **options)


def scored(verifier: TokenClassificationVerifier, solutions: list[str], problem: str = "1+1?") -> list[StepScores]:
    for index, solution in enumerate(solutions):
        verifier.add(ScoreRequest(f"k{index}", problem, solution))
    results = {}
    while verifier.pending:
        results |= {result.key: result for result in verifier.step()}
    return [results[f"k{index}"] for index in range(len(solutions))]


def tree() -> list[list[str]]:
    """Rounds of a search: each round's solutions continue those of the round before."""
    rounds, beams = [], ["3 + 4 = 7."]
    for depth in range(4):
        solutions = [f"{beam}\n\n{step} {width}" for beam in beams for width, step in enumerate(STEPS)]
        rounds.append([*solutions, solutions[0]])
        beams = solutions[depth::5][:3]
    return rounds


def assert_same(few: list[StepScores], many: list[StepScores]) -> None:
    for one, other in zip(few, many, strict=True):
        assert one.cost == other.cost
        assert list(one.scores) == pytest.approx(list(other.scores), abs=1e-4)


@pytest.mark.parametrize("kept_tokens", [0, 60, 10_000])
def test_a_search_gets_the_plain_paths_scores(verifier_folder: Path, kept_tokens: int) -> None:
    plain, kept = pair(verifier_folder, kept_tokens=kept_tokens)
    for solutions in tree():
        assert_same(scored(kept, solutions), scored(plain, solutions))
        assert kept._beginnings.kept.tokens <= kept_tokens


def test_biases_and_grouped_heads(tmp_path: Path) -> None:
    torch.manual_seed(4)
    shape = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    settings = {name: getattr(tiny_config(), name) for name in (*shape, "max_position_embeddings")}
    config = Qwen2Config(**settings, num_key_value_heads=1, initializer_range=0.3, num_labels=2, pad_token_id=0)
    Qwen2ForTokenClassification(config).save_pretrained(tmp_path)
    character_tokenizer().save_pretrained(tmp_path)
    plain, kept = pair(tmp_path)
    for solutions in tree():
        assert_same(scored(kept, solutions), scored(plain, solutions))


def test_only_what_is_new_is_read(verifier_folder: Path) -> None:
    _, kept = pair(verifier_folder)
    scored(kept, ["3 + 4 = 7.\n\n12 * 7 = 84."])
    first = kept.read_tokens
    scored(kept, ["3 + 4 = 7.\n\n12 * 7 = 84."])
    assert kept.read_tokens == first
    scored(kept, ["3 + 4 = 7.\n\n12 * 7 = 85."])
    assert kept.read_tokens == first + len("12 * 7 = 85.\n\n")
    scored(kept, ["3 + 4 = 7.\n\n12 * 7 = 84.\n\nSo."])
    assert kept.read_tokens == first + len("12 * 7 = 85.\n\n") + len("So.\n\n")
    scored(kept, ["2"], problem="1+1?")
    assert kept.read_tokens == first + len("12 * 7 = 85.\n\n") + len("So.\n\n") + len("2\n\n")


def test_the_same_step_after_another_beginning_is_another_step(verifier_folder: Path) -> None:
    plain, kept = pair(verifier_folder)
    for problem in ("1+1?", "2+2?"):
        solutions = ["a\n\nsame", "b\n\nsame"]
        assert_same(scored(kept, solutions, problem), scored(plain, solutions, problem))


def segment(tokens: int) -> Segment:
    return Segment(torch.zeros(1, 1, tokens, 2), torch.zeros(1, 1, tokens, 2), 0.5)


def test_the_least_recently_used_go_first_and_ends_before_beginnings() -> None:
    segments = Segments(max_tokens=8)
    for last in (10, 20, 30):
        segments.keep((1, 2, last), (2, 3), [segment(2), segment(1)])
    assert segments.tokens == 5
    assert len(segments.beginning((1, 2, 10), (2, 3))) == 2
    segments.keep((7, 7, 7, 7), (4,), [segment(4)])
    assert segments.tokens == 8
    assert [len(segments.beginning((1, 2, last), (2, 3))) for last in (10, 20, 30)] == [2, 1, 2]
