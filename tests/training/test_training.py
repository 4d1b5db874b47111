"""Batches, the head, the loop and the whole of a tiny training: what they promise, and that the same seed repeats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.budget import Spend
from domain.moves import STEP_SEPARATOR, Answer, FinishReason
from domain.ports import Completion
from inference.prompts import prompt_ids, text_ids
from inference.verifiers.likelihood_features import FEATURES
from inference.verifiers.step_likelihood import load_step_likelihood
from training.curriculum import Stage, staged_batches
from training.data import IGNORED, MULTIPLE, Row, batches, language_row
from training.first_model import build
from training.likelihood import Scored, ranking, read_solutions, train_head
from training.loop import Schedule
from training.problems.arithmetic import generate
from training.recipe import RECIPES, read_recipe
from training.store import weights_hash
from training.tokenizer import PROMPT_PHRASES, build_tokenizer

TOKENIZER = build_tokenizer(1024, PROMPT_PHRASES)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_the_tokenizer(text: str) -> None:
    assert TOKENIZER.decode(text_ids(TOKENIZER, text)) == text


def test_the_separator_is_one_token_and_digits_are_single() -> None:
    ids = text_ids(TOKENIZER, "12 + 3 = 15" + STEP_SEPARATOR)
    assert TOKENIZER.convert_ids_to_tokens(ids) == ["1", "2", " + ", "3", " = ", "1", "5", "\n\n"]


def test_the_name_of_the_end_token_in_a_problem_is_mere_text() -> None:
    assert TOKENIZER.eos_token_id not in prompt_ids(TOKENIZER, "<|end|>")


def test_only_the_solution_and_the_end_carry_a_loss() -> None:
    row = language_row([5, 6, 7], [8, 9], end=1)
    assert row.ids == (5, 6, 7, 8, 9)
    assert row.next_tokens == (IGNORED, IGNORED, 8, 9, 1)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=80), st.integers(0, 100))
@settings(deadline=None)
def test_batches_hold_every_row_once_within_the_token_limit(lengths: list[int], seed: int) -> None:
    rows = [Row((index + 1,) * length, (2,) * length) for index, length in enumerate(lengths)]
    found = list(batches(rows, 256, seed))
    assert sorted(int(row[0]) for batch in found for row in batch.ids) == list(range(1, len(rows) + 1))
    assert all(batch.ids.numel() <= 256 and batch.ids.shape[1] % MULTIPLE == 0 for batch in found)
    assert sum(int((batch.ids != 0).sum()) for batch in found) == sum(lengths)


def test_stages_give_their_levels_and_all_the_steps() -> None:
    rows = {level: [Row((level,) * 8, (level,) * 8)] for level in range(1, 6)}
    stages = [Stage(0.25, (1, 0, 0, 0, 0)), Stage(0.75, (0, 0, 0, 1, 1))]
    found = list(staged_batches(rows, stages, 8, 64, seed=0))
    assert len(found) == 8
    seen = [set(batch.ids[:, 0].tolist()) for batch in found]
    assert seen[0] == seen[1] == {1}
    assert set().union(*seen[2:]) == {4, 5}


@pytest.mark.parametrize(("step", "factor"), [(0, 0.1), (9, 1.0), (49, 1.0), (75, 0.5), (100, 0.0)])
def test_the_learning_rate_rises_stays_and_falls_to_zero(step: int, factor: float) -> None:
    assert Schedule(100, warmup=10, decay=0.5).factor(step) == pytest.approx(factor)


def test_the_head_learns_who_ends_right_and_is_chosen_by_ranking_within_problems() -> None:
    """Two features tell right from wrong; a third says only how hard the problem is."""
    torch.manual_seed(1)
    solutions = [_solution(problem, right) for problem in range(60) for right in (True, False, problem % 3 == 0)]
    head = train_head(solutions, steps=200, rate=0.01, seed=0)
    assert ranking(head, [_solution(problem, right) for problem in range(40) for right in (True, False)]) > 0.9


def _solution(problem: int, right: bool) -> Scored:
    features = torch.randn(3, len(FEATURES))
    features[:, 0] += 2.0 * right
    features[:, 10] += problem % 3
    return Scored(problem, features, right, f"q:{int(right)}")


def test_solutions_are_read_once_and_without_those_that_gave_no_answer(smoke: Path) -> None:
    verifier = load_step_likelihood(str(smoke / "verifier"), threads=1, device="cpu", rows=64)
    (example,) = generate(1, 1, 1)
    good, none = _completion(example.answer), replace(_completion("1"), answer=None)
    (found,) = read_solutions(verifier, [example], [[good, good, none]])
    assert (found.right, found.problem, tuple(found.features.shape)) == (True, 0, (2, len(FEATURES)))


def _completion(answer: str) -> Completion:
    text = f"1 + 1 = 2\n\nThe answer is $\\boxed{{{answer}}}$."
    return Completion("k", text, FinishReason.END, Answer(answer, f"q:{answer}"), -1.0, Spend())


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("smoke")
    build(read_recipe(RECIPES / "smoke.toml"), out, out / "work")
    return out


def test_a_training_leaves_models_that_load_with_card_and_manifest(smoke: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    for name in ("policy", "verifier"):
        model = AutoModelForCausalLM.from_pretrained(smoke / name)
        assert all(torch.isfinite(weight).all() for weight in model.parameters())
        tokenizer = AutoTokenizer.from_pretrained(smoke / name)
        assert tokenizer.chat_template is None
        assert model.config.eos_token_id == tokenizer.eos_token_id == TOKENIZER.eos_token_id
        assert (smoke / name / "README.md").read_text().startswith("# ")
        assert weights_hash(smoke / name) in (smoke / name / "manifest.json").read_text()


def test_the_same_seed_gives_the_same_weights_with_and_without_a_kept_base(smoke: Path, tmp_path: Path) -> None:
    build(read_recipe(RECIPES / "smoke.toml"), tmp_path / "again")
    build(read_recipe(RECIPES / "smoke.toml"), tmp_path / "kept", smoke / "work")
    for name in ("policy", "verifier"):
        assert weights_hash(tmp_path / "again" / name) == weights_hash(smoke / name)
        assert weights_hash(tmp_path / "kept" / name) == weights_hash(smoke / name)
