"""Batches, labels, the loop and the whole of a tiny training: what they promise, and that the same seed repeats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.moves import STEP_SEPARATOR, split_steps
from inference.prompts import prompt_ids, text_ids
from inference.steps import encode_solution_for_scoring
from training.curriculum import Stage, staged_batches
from training.data import IGNORED, MULTIPLE, Row, batches, language_row
from training.first_model import build
from training.labels import verdict_row
from training.loop import Schedule
from training.policy import new_model
from training.problems.arithmetic import generate
from training.problems.checker import step_verdicts
from training.problems.corruption import corrupted
from training.recipe import RECIPES, read_recipe
from training.store import weights_hash
from training.tokenizer import PROMPT_PHRASES, build_tokenizer
from training.verifier import new_verifier

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
    rows = [Row((index + 1,) * length, (2,) * length, (1,) * length) for index, length in enumerate(lengths)]
    found = list(batches(rows, 256, seed))
    assert sorted(int(row[0]) for batch in found for row in batch.ids) == list(range(1, len(rows) + 1))
    assert all(batch.ids.numel() <= 256 and batch.ids.shape[1] % MULTIPLE == 0 for batch in found)
    assert sum(int((batch.ids != 0).sum()) for batch in found) == sum(lengths)


def test_stages_give_their_levels_and_all_the_steps() -> None:
    rows = {level: [Row((level,) * 8, (level,) * 8, ())] for level in range(1, 6)}
    stages = [Stage(0.25, (1, 0, 0, 0, 0)), Stage(0.75, (0, 0, 0, 1, 1))]
    found = list(staged_batches(rows, stages, 8, 64, seed=0))
    assert len(found) == 8
    seen = [set(batch.ids[:, 0].tolist()) for batch in found]
    assert seen[0] == seen[1] == {1}
    assert set().union(*seen[2:]) == {4, 5}


@pytest.mark.parametrize(("step", "factor"), [(0, 0.1), (9, 1.0), (49, 1.0), (75, 0.5), (100, 0.0)])
def test_the_learning_rate_rises_stays_and_falls_to_zero(step: int, factor: float) -> None:
    assert Schedule(100, warmup=10, decay=0.5).factor(step) == pytest.approx(factor)


@given(st.integers(0, 2**31), st.integers(1, 5))
@settings(max_examples=50, deadline=None)
def test_step_labels_agree_with_the_exact_checker(seed: int, level: int) -> None:
    import random

    example = generate(seed, level, 1)[0]
    for solution in (example.solution, corrupted(example.problem, random.Random(seed))):
        row = verdict_row(TOKENIZER, example.problem, solution, example.solution)
        labels = tuple(label == 1 for label, end in zip(row.verdicts, row.steps, strict=True) if end)
        assert labels == step_verdicts(example.problem, solution)


def test_verdicts_begin_after_the_prompt_and_turn_at_the_first_wrong_token() -> None:
    right, wrong = "1 + 1 = 2", "1 + 1 = 3"
    row = verdict_row(TOKENIZER, "What is 1 + 1?", wrong, right)
    start = len(prompt_ids(TOKENIZER, "What is 1 + 1?"))
    assert row.ids == encode_solution_for_scoring(TOKENIZER, "What is 1 + 1?", split_steps(wrong)).ids
    assert row.verdicts == (IGNORED,) * start + (1, 1, 1, 1, 0, 0)
    two = TOKENIZER.convert_tokens_to_ids("2")
    assert row.next_tokens[start + 3] == two  # also where the solution goes wrong, the right token is taught
    assert set(row.next_tokens[start + 4 :]) == {IGNORED}


def test_a_new_verifier_reads_as_the_base_does() -> None:
    recipe = read_recipe(RECIPES / "smoke.toml")
    strong = new_model(recipe.model, TOKENIZER).eval()
    verifier = new_verifier(strong, extra_layers=2).eval()
    ids = torch.tensor([prompt_ids(TOKENIZER, "What is 1 + 1?")])
    base, longer = strong.model(ids).last_hidden_state, verifier.model(ids).last_hidden_state
    assert torch.allclose(base, longer, atol=1e-6)
    assert verifier.config.num_hidden_layers == recipe.model.layers + 2
    assert verifier.config.id2label[1] == "right"


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("smoke")
    build(read_recipe(RECIPES / "smoke.toml"), out, out / "work")
    return out


def test_a_training_leaves_models_that_load_with_card_and_manifest(smoke: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForTokenClassification, AutoTokenizer

    loaders: dict[str, Any] = {"policy": AutoModelForCausalLM, "verifier": AutoModelForTokenClassification}
    for name, loader in loaders.items():
        model = loader.from_pretrained(smoke / name)
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
