"""Targets for the verifier, without a person's labels.

Law: a token is right as long as everything written so far is the beginning of the generator's own working, and wrong
from the first token on that leaves it. The format has one right working for a problem, so this is the same as asking
whether the right answer can still be reached by right steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from domain.moves import split_steps
from domain.ports import Completion
from inference.steps import encode_solution_for_scoring
from training.data import IGNORED, Row
from training.problems.arithmetic import Example

RIGHT, WRONG = 1, 0


def verdict_row(tokenizer: Any, problem: str, solution: str, reference: str) -> Row:
    """A row for the verifier: `solution` judged by `reference`, a working of the same problem that is right."""
    read = encode_solution_for_scoring(tokenizer, problem, split_steps(solution))
    known = encode_solution_for_scoring(tokenizer, problem, split_steps(reference))
    start = _prompt_length(tokenizer, problem)
    same = agreement(read.ids, known.ids)
    length = len(read.ids)
    verdicts = tuple(IGNORED if at < start else RIGHT if at < same else WRONG for at in range(length))
    ends = set(read.positions)
    return Row(
        read.ids, _next_tokens(known.ids, start, same, length), verdicts, tuple(at in ends for at in range(length))
    )


def sampled_rows(tokenizer: Any, examples: Sequence[Example], sampled: Sequence[Sequence[Completion]]) -> list[Row]:
    """Rows of the different finished solutions of each example, and of its own one.

    So every problem has a right solution, however hard it is, and "this problem is hard" explains no label by itself.
    """
    return [
        verdict_row(tokenizer, example.problem, text, example.solution)
        for example, completions in zip(examples, sampled, strict=True)
        for text in dict.fromkeys([example.solution, *(item.text for item in completions if item.answer is not None)])
    ]


def agreement(ids: Sequence[int], known: Sequence[int]) -> int:
    """How many leading tokens the two have in common."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ids, known, strict=False)))


def _next_tokens(known: Sequence[int], start: int, same: int, length: int) -> tuple[int, ...]:
    """The right next token wherever all before it is right: also at the place where the solution goes wrong."""
    last = min(same, len(known) - 1)
    return tuple(known[at + 1] if start - 1 <= at < last else IGNORED for at in range(length))


def _prompt_length(tokenizer: Any, problem: str) -> int:
    return len(encode_solution_for_scoring(tokenizer, problem, ()).ids)
