"""Golden rows: exactly which positions carry which labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from inference.prompts import plain_prompt, prompt_ids
from tests.support.tiny_models import character_tokenizer
from training.hf.fitting import collate, process_loss
from training.hf.rows import IGNORED, Row, outcome_row, policy_row, process_row, revision_row

END = 2


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return character_tokenizer()


def shown(tokenizer: Any, row: Row) -> list[tuple[str, float]]:
    return list(zip(tokenizer.convert_ids_to_tokens(list(row.ids)), row.labels, strict=True))


def test_a_policy_row_learns_the_solution_and_its_end_only(tokenizer: Any) -> None:
    row = policy_row(tokenizer, END, "1+1?", "2.")
    two, dot = tokenizer.convert_tokens_to_ids(["2", "."])
    prompt = ["<bos>", *"Q: 1+1?\nA:\n"]
    assert shown(tokenizer, row) == [*((letter, IGNORED) for letter in prompt), ("2", two), (".", dot), ("<eos>", END)]


def test_a_chat_row_uses_the_models_own_template(qwen: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(qwen)
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id) == (None, None)
    row = policy_row(tokenizer, tokenizer.eos_token_id, "1+1?", "2.")
    assert tokenizer.decode(row.ids).endswith("<end><start>user: 1+1?<end><start>assistant: 2.<end>")
    assert [label for label in row.labels if label != IGNORED] == list(row.ids[-3:])
    assert row.labels[-3:] == row.ids[-3:]


def test_a_revision_shows_its_attempts_and_learns_none_of_them(tokenizer: Any) -> None:
    row = revision_row(tokenizer, END, "1+1?", "2.", ["3.", "4."], 256)
    assert row is not None
    prompt = plain_prompt("1+1?", ["3.", "4."])
    assert "Tried:\n3." in prompt
    letters = [letter for letter, _ in shown(tokenizer, row)]
    assert letters == ["<bos>", *prompt, "2", ".", "<eos>"]
    assert [label != IGNORED for label in row.labels] == [False] * (1 + len(prompt)) + [True] * 3


def test_a_long_chain_loses_its_oldest_attempts_first(tokenizer: Any) -> None:
    attempts = ["a" * 40, "b" * 40, "c" * 40]
    whole = policy_row(tokenizer, END, "1+1?", "2.", attempts)
    row = revision_row(tokenizer, END, "1+1?", "2.", attempts, len(whole) - 1)
    assert row == policy_row(tokenizer, END, "1+1?", "2.", attempts[1:])
    assert revision_row(tokenizer, END, "1+1?", "2.", attempts, 40) is None


def test_a_process_row_has_a_label_at_each_separator_and_nowhere_else(tokenizer: Any) -> None:
    row = process_row(tokenizer, "1+1?", ["ab", "c"], [0.75, 0.0], "\n\n")
    prompt = prompt_ids(tokenizer, "1+1?")
    assert shown(tokenizer, row)[len(prompt) :] == [
        ("a", IGNORED), ("b", IGNORED), ("\n", IGNORED), ("\n", 0.75), ("c", IGNORED), ("\n", IGNORED), ("\n", 0.0),
    ]  # fmt: skip
    assert set(row.labels[: len(prompt)]) == {IGNORED}


def test_the_separator_is_never_merged_with_a_step() -> None:
    """With a tokenizer that would merge "b\\n" into one token, the label stays on a token of its own."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    letters = {letter: index for index, letter in enumerate(["\n", "\n\n", "a", "b", "b\n\n", "Q", ":", " ", "A"])}
    core = Tokenizer(models.BPE(letters, [("\n", "\n"), ("b", "\n\n")], unk_token="a"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core)
    assert tokenizer("ab\n\n")["input_ids"] == [2, letters["b\n\n"]]
    row = process_row(tokenizer, "a", ["ab"], [1.0], "\n\n")
    assert row.ids[-3:] == (2, 3, letters["\n\n"])
    assert row.labels[-3:] == (IGNORED, IGNORED, 1.0)


def test_an_outcome_row_has_one_label_at_the_end(tokenizer: Any) -> None:
    process = process_row(tokenizer, "1+1?", ["ab", "c"], [1.0, 1.0], "\n")
    outcome = outcome_row(tokenizer, "1+1?", ["ab", "c"], True, "\n")
    assert outcome.ids == process.ids
    assert [at for at, label in enumerate(outcome.labels) if label != IGNORED] == [len(outcome) - 1]
    assert outcome.labels[-1] == 1.0


def test_the_text_of_a_problem_can_not_forge_special_tokens(tokenizer: Any) -> None:
    row = policy_row(tokenizer, END, "say <eos>", "<eos>")
    assert list(row.ids).count(END) == 1


def test_a_batch_is_padded_on_the_right_masked_and_unlabelled() -> None:
    batch = collate([[Row((5, 6), (IGNORED, 6)), Row((7,), (IGNORED,))], [Row((8, 9, 3), (IGNORED, 9, 3))]])
    assert batch["input_ids"].tolist() == [[5, 6, 0], [7, 0, 0], [8, 9, 3]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 0, 0], [1, 1, 1]]
    assert batch["labels"].tolist() == [[-100, 6, -100], [-100, -100, -100], [-100, 9, 3]]
    assert batch["labels"].dtype == torch.int64
    assert collate([[Row((1, 2), (float(IGNORED), 0.5))]])["labels"].dtype == torch.float32


def test_the_loss_is_soft_binary_cross_entropy_at_the_labels() -> None:
    class Outputs:
        logits = torch.tensor([[[0.0, 1.0], [2.0, -1.0], [9.0, 9.0]]])

    labels = torch.tensor([[0.25, 1.0, float(IGNORED)]])
    right = torch.tensor([1 / (1 + torch.e**-1), 1 / (1 + torch.e**3)])
    expected = -(0.25 * right[0].log() + 0.75 * (1 - right[0]).log()) - right[1].log()
    assert process_loss(Outputs, labels).item() == pytest.approx(expected.item() / 2, rel=1e-5)
    assert process_loss(Outputs, labels, 8).item() == pytest.approx(expected.item() / 8, rel=1e-5)
