"""How a solution is put before a step verifier (the token-classification format of TRL's PRM trainer).

Law: the separator is appended *after* a step is tokenised, never tokenised together with it, since merged tokens move
the scores; and each step has exactly one position at which its score is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.moves import STEP_SEPARATOR
from inference.prompts import prompt_ids, text_ids


@dataclass(frozen=True, slots=True)
class EncodedSolution:
    ids: tuple[int, ...]
    positions: tuple[int, ...]
    """Index in `ids` of the last separator token of each step, in order."""
    prompt: int
    """Tokens before the first step."""

    @property
    def ends(self) -> tuple[int, ...]:
        """Tokens up to the end of the prompt and of each step."""
        return self.prompt, *(position + 1 for position in self.positions)


def encode_solution_for_scoring(
    tokenizer: Any, problem: str, steps: Sequence[str], separator: str = STEP_SEPARATOR
) -> EncodedSolution:
    """Prompt, then each step followed by the separator token(s). Nothing is cut: the caller checks the length."""
    ids = prompt_ids(tokenizer, problem)
    prompt = len(ids)
    separator_ids = _separator_ids(tokenizer, separator)
    positions: list[int] = []
    for step in steps:
        ids += text_ids(tokenizer, step)
        ids += separator_ids
        positions.append(len(ids) - 1)
    return EncodedSolution(tuple(ids), tuple(positions), prompt)


def _separator_ids(tokenizer: Any, separator: str) -> list[int]:
    """A separator may be a special token (such as `<extra_0>`), so its name is looked for, unlike in the text."""
    ids = list(tokenizer(separator, add_special_tokens=False)["input_ids"])
    if not ids:
        raise ValueError("the tokenizer gives no token for the step separator")
    return ids
