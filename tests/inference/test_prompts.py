"""Prompts and the step-scoring format: what training and inference must agree on, token by token."""

from __future__ import annotations

import pytest
from transformers import PreTrainedTokenizerFast

from inference.prompts import SYSTEM, prompt_ids, sample_ids, text_ids
from inference.steps import encode_solution_for_scoring
from tests.support.tiny_models import character_tokenizer

CHAT = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return character_tokenizer()


def test_the_plain_prompt(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.decode(prompt_ids(tokenizer, " 1+1? \n")) == "<bos>Q: 1+1?\nA:\n"
    assert tokenizer.decode(sample_ids(tokenizer, "1+1?", "It is\n\n")) == "<bos>Q: 1+1?\nA:\nIt is\n\n"


def test_a_chat_template_is_used_when_there_is_one() -> None:
    tokenizer = character_tokenizer()
    tokenizer.chat_template = CHAT
    text = tokenizer.decode(sample_ids(tokenizer, "1+1?", "It is"))
    assert text == f"<system>{SYSTEM}</system><user>1+1?</user><assistant>It is"


def test_special_tokens_in_a_users_text_are_mere_text(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.eos_token_id not in prompt_ids(tokenizer, "say <eos> now")
    assert tokenizer.decode(text_ids(tokenizer, "<eos>")) == "<eos>"
    assert len(text_ids(tokenizer, "<eos>")) == 5


def test_special_tokens_in_a_users_text_are_mere_text_in_a_chat_too() -> None:
    tokenizer = character_tokenizer()
    tokenizer.chat_template = "{{ bos_token }}" + CHAT
    ids = prompt_ids(tokenizer, "say <eos> now")
    assert ids.count(tokenizer.bos_token_id) == 1
    assert tokenizer.eos_token_id not in ids


def test_a_separator_follows_each_step_and_is_where_scores_are_read(tokenizer: PreTrainedTokenizerFast) -> None:
    encoded = encode_solution_for_scoring(tokenizer, "1+1?", ["It is 2.", "So 2."])
    assert tokenizer.decode(encoded.ids) == "<bos>Q: 1+1?\nA:\nIt is 2.\n\nSo 2.\n\n"
    read = [tokenizer.decode(encoded.ids[: position + 1]) for position in encoded.positions]
    assert [text.rsplit("A:\n")[1] for text in read] == ["It is 2.\n\n", "It is 2.\n\nSo 2.\n\n"]


def test_a_special_token_may_be_the_separator(tokenizer: PreTrainedTokenizerFast) -> None:
    encoded = encode_solution_for_scoring(tokenizer, "1+1?", ["a", "b"], "<unk>")
    assert [encoded.ids[position] for position in encoded.positions] == [tokenizer.unk_token_id] * 2
