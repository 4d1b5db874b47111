"""Tiny policies of two families, and small training files that fit them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

from tests.support.tiny_models import character_tokenizer, tiny_config

CHAT = (
    "{% for message in messages %}<start>{{ message.role }}: {{ message.content }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<start>assistant: {% endif %}"
)
MARKS = ("<start>", "<end>")
CONTEXT_TOKENS = 256


def make_llama(folder: Path, **changes: Any) -> Path:
    """No chat template; a beginning-of-sequence token."""
    torch.manual_seed(0)
    LlamaForCausalLM(tiny_config(classifier_dropout=0.0, **changes)).save_pretrained(folder)
    character_tokenizer().save_pretrained(folder)
    return folder


def make_qwen(folder: Path) -> Path:
    """A chat template, no beginning-of-sequence token and no padding token."""
    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=len(MARKS) + 256,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT_TOKENS,
        initializer_range=0.3,
        eos_token_id=MARKS.index("<end>"),
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


def byte_tokenizer() -> Qwen2Tokenizer:
    """Each byte is a token, but for the marks of a turn."""
    letters = sorted(ByteLevel.alphabet())
    vocabulary = {letter: index for index, letter in enumerate([*MARKS, *letters])}
    tokenizer = Qwen2Tokenizer(vocabulary, [], unk_token=None, bos_token=None, pad_token=None, eos_token=MARKS[1])
    tokenizer.add_special_tokens({"additional_special_tokens": [MARKS[0]]})
    tokenizer.pad_token = None
    tokenizer.chat_template = CHAT
    return tokenizer


def write_lines(path: Path, lines: Iterable[Any]) -> Path:
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def problem_line(number: int, **changes: Any) -> dict[str, Any]:
    text = f"What is {number} + 10?"
    solution = f"{number} + 10 = {number + 10}.\n\nSo \\boxed{{{number + 10}}}."
    return {"id": f"p{number}", "problem": text, "answer": str(number + 10), "solution": solution} | changes


def labels_line(number: int, **changes: Any) -> dict[str, Any]:
    """Every second solution is wrong from its last step on."""
    right = number % 2 == 0
    answer = str(number + 10 if right else number)
    steps = [f"{number} + 10 is what is asked.", f"So \\boxed{{{answer}}}."]
    return {
        "problem_id": f"p{number}",
        "problem": f"What is {number} + 10?",
        "steps": steps,
        "labels": [0.75, 1.0 if right else 0.0],
        "rollouts": [4, 0],
        "answer": answer,
        "right": right,
    } | changes


def chain_line(number: int, **changes: Any) -> dict[str, Any]:
    problem: Mapping[str, Any] = problem_line(number)
    attempts = [f"So \\boxed{{{number + wrong}}}." for wrong in range(1, 2 + number % 3)]
    return {
        "problem_id": problem["id"],
        "problem": problem["problem"],
        "attempts": attempts,
        "solution": problem["solution"],
    } | changes


def problems_file(path: Path, count: int = 12, first: int = 0) -> Path:
    return write_lines(path, [problem_line(number) for number in range(first, first + count)])


def labels_file(path: Path, count: int = 12) -> Path:
    return write_lines(path, [labels_line(number) for number in range(count)])


def chains_file(path: Path, count: int = 12) -> Path:
    return write_lines(path, [chain_line(number) for number in range(count)])
