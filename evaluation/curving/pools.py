"""Whole solutions that were sampled once, for all methods that need nothing else.

Law: sample i of a pool is the very call that a search with this seed makes for its i-th plain solution, so that a
search which finds it in the pool gets what it would have got from the engine, at the same charge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from domain.budget import Spend
from domain.ids import derive_seed
from domain.moves import FinishReason
from domain.ports import Completion, SampleRequest, StepScores
from inference.answers.extract import extract_answer


@dataclass(frozen=True, slots=True)
class Sampling:
    """How whole solutions are sampled, by every method alike."""

    temperature: float = 1.0
    max_tokens: int = 384


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive samples of one problem and seed, with the verifier's scores of the finished ones' texts."""

    problem: str
    seed: int
    first: int
    """Number of the first sample, from 1."""
    samples: tuple[Completion, ...]
    scores: dict[str, StepScores]
    """By text; equal texts were scored once."""

    def as_json(self) -> dict[str, Any]:
        texts = list(dict.fromkeys(one.text for one in self.samples))
        place = {text: at for at, text in enumerate(texts)}
        return {
            "problem": self.problem,
            "seed": self.seed,
            "first": self.first,
            "texts": texts,
            "samples": [
                [place[one.text], one.finish.value, one.logprob, one.ends, *_numbers(one.cost)] for one in self.samples
            ],
            "scores": {place[text]: [one.scores, one.ends, *_numbers(one.cost)] for text, one in self.scores.items()},
        }


def block_from_json(line: dict[str, Any]) -> Block:
    texts = line["texts"]
    samples = tuple(
        _sample(texts[at], finish, logprob, ends, cost) for at, finish, logprob, ends, *cost in line["samples"]
    )
    scores = {
        texts[int(at)]: StepScores("", tuple(steps), Spend(*cost), tuple(ends))
        for at, (steps, ends, *cost) in line["scores"].items()
    }
    return Block(line["problem"], line["seed"], line["first"], samples, scores)


def _numbers(cost: Spend) -> list[float]:
    """Of an engine: nothing is cached yet."""
    return [
        cost.prompt_tokens, cost.generated_tokens, cost.verified_tokens, cost.flops, cost.rollouts, cost.verifier_calls,
    ]  # fmt: skip


def _sample(text: str, finish: str, logprob: float | None, ends: Sequence[int], cost: Sequence[Any]) -> Completion:
    ended = FinishReason(finish)
    answer = extract_answer(text) if ended is FinishReason.END else None
    return Completion("", text, ended, answer, logprob, Spend(*cost), tuple(ends))


def search_seed(seed: int, problem: str) -> int:
    """The seed of every search on this problem in this repetition."""
    return derive_seed(seed, "curves", problem)


def requests(text: str, problem: str, seed: int, first: int, last: int, how: Sampling) -> Iterator[SampleRequest]:
    """The calls of samples `first` to `last` of a problem with this text, as `search.sampling` asks for them."""
    root = search_seed(seed, problem)
    for node in range(first, last + 1):
        yield SampleRequest(
            f"pool/{problem}/{seed}/{node}", text, "", derive_seed(root, "sample", node), how.max_tokens, (),
            how.temperature, 1.0,
        )  # fmt: skip
