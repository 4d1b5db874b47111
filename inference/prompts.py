"""How a problem is put before a model. Law: training and inference build prompts with these functions and no others.

A tokenizer with a chat template gets its own template; one without gets the plain format, which is short because the
shipped models read characters.
"""

from __future__ import annotations

from typing import Any

SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."

_PLACE = "\ue000problem\ue001"
"""Stands for the problem in a rendered template; private-use characters, so that no template has it."""


def plain_prompt(problem: str) -> str:
    """The prompt of a model without a chat template; it ends with a line break, so that no token spans its end."""
    return f"Q: {problem.strip()}\nA:\n"


def prompt_ids(tokenizer: Any, problem: str) -> list[int]:
    """Token ids of the prompt, up to where the solution begins (beginning-of-sequence included, where there is one)."""
    if getattr(tokenizer, "chat_template", None):
        return _chat_ids(tokenizer, problem)
    return _start(tokenizer) + text_ids(tokenizer, plain_prompt(problem))


def sample_ids(tokenizer: Any, problem: str, prefix: str) -> list[int]:
    """Prompt and solution so far. They are tokenised apart: a model never sees a token that spans both."""
    ids = prompt_ids(tokenizer, problem)
    return ids + text_ids(tokenizer, prefix) if prefix else ids


def text_ids(tokenizer: Any, text: str) -> list[int]:
    """Ids of plain text: nothing is added, and the names of special tokens in it are mere text."""
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])


def _start(tokenizer: Any) -> list[int]:
    return [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]


def _chat_ids(tokenizer: Any, problem: str) -> list[int]:
    if not any(token in problem for token in tokenizer.all_special_tokens):
        return _rendered_ids(tokenizer, _rendered(tokenizer, problem))
    # A user who writes a turn marker must not be able to end their own turn: only the template's markers count.
    before, _, after = _rendered(tokenizer, _PLACE).partition(_PLACE)
    return _rendered_ids(tokenizer, before) + text_ids(tokenizer, problem) + _rendered_ids(tokenizer, after)


def _rendered(tokenizer: Any, problem: str) -> str:
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": problem}]
    return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def _rendered_ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
