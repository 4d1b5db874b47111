"""How a problem is put before a model. Law: training and inference build prompts with these functions and no others.

A tokenizer with a chat template gets its own template; one without gets the plain format, which is short because the
shipped models read characters.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

from domain.moves import step_ends

SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."

_PLACE = "\ue000problem\ue001"
"""Stands for the problem in a rendered template; private-use characters, so that no template has it."""


PROMPT_PHRASES = ("Q: ", "\nTried:\n", "\nA:\n")
"""The fixed parts of the plain prompt; the shipped tokenizer has a token for each."""
MAX_ATTEMPTS = 4
"""A reviser sees at most this many earlier attempts, the latest ones (as in arXiv 2408.03314)."""
REVISE = "Some of these attempts are wrong. Solve the problem again, and avoid their mistakes."


def plain_prompt(problem: str, attempts: Sequence[str] = ()) -> str:
    """The prompt of a model without a chat template; it ends with a line break, so that no token spans its end.

    With `attempts`, oldest first, it asks for a revision.
    """
    tried = "".join(f"\nTried:\n{attempt.strip()}" for attempt in attempts[-MAX_ATTEMPTS:])
    return f"Q: {problem.strip()}{tried}\nA:\n"


def prompt_ids(tokenizer: Any, problem: str, attempts: Sequence[str] = ()) -> list[int]:
    """Token ids of the prompt, up to where the solution begins (beginning-of-sequence included, where there is one)."""
    if getattr(tokenizer, "chat_template", None):
        return _chat_ids(tokenizer, _request(problem, attempts))
    return _start(tokenizer) + text_ids(tokenizer, plain_prompt(problem, attempts))


class Prompt(NamedTuple):
    """What a policy is given to read."""

    ids: tuple[int, ...]
    ends: tuple[int, ...]
    """Tokens up to the end of the problem's prompt and of each step that a separator ends."""


def sample_prompt(tokenizer: Any, problem: str, prefix: str, attempts: Sequence[str] = ()) -> Prompt:
    """Prompt and solution so far. They are tokenised apart: a model never sees a token that spans both."""
    ids = tuple(prompt_ids(tokenizer, problem, attempts))
    if not prefix:
        return Prompt(ids, (len(ids),))
    encoded = tokenizer(prefix, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
    token_ends = [end for _, end in encoded["offset_mapping"]]
    ends = (len(ids) + bisect_right(token_ends, end) for end in step_ends(prefix))
    return Prompt((*ids, *encoded["input_ids"]), (len(ids), *ends))


def sample_ids(tokenizer: Any, problem: str, prefix: str, attempts: Sequence[str] = ()) -> list[int]:
    """The ids of `sample_prompt`."""
    return list(sample_prompt(tokenizer, problem, prefix, attempts).ids)


def _request(problem: str, attempts: Sequence[str]) -> str:
    """What the user's turn of a chat says."""
    if not attempts:
        return problem
    shown = [f"Attempt {at}:\n{text.strip()}" for at, text in enumerate(attempts[-MAX_ATTEMPTS:], start=1)]
    return "\n\n".join([problem.strip(), *shown, REVISE])


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
