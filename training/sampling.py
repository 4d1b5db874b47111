"""Solutions and scores from the engines of `inference`, driven to the end on the calling thread.

Law: what is measured is what is served: the same prompts, sampling, answer extraction and step scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from domain.errors import EngineError
from domain.ids import derive_seed
from domain.ports import Completion, SampleRequest, ScoreRequest, StepScores
from training.problems.arithmetic import Example
from training.progress import say

MAX_TOKENS = 160
"""Longer than every right solution of the format."""


@dataclass(frozen=True, slots=True)
class Draw:
    """How to sample: the n-th solution of a problem has the same seed whatever else is sampled."""

    count: int
    temperature: float
    seed: int


def sample_solutions(engine: Any, examples: Sequence[Example], draw: Draw) -> list[list[Completion]]:
    """`draw.count` completions for each example, in order. Raises EngineError."""
    requests = [
        SampleRequest(
            key=f"{example.id}/{index}",
            problem=example.problem,
            prefix="",
            seed=derive_seed(draw.seed, example.id, index),
            max_tokens=MAX_TOKENS,
            temperature=draw.temperature,
        )
        for example in examples
        for index in range(draw.count)
    ]
    found = dict(_drained(engine, requests, "sampling"))
    return [[found[f"{example.id}/{index}"] for index in range(draw.count)] for example in examples]


def score_solutions(scorer: Any, pairs: Sequence[tuple[str, str]]) -> list[StepScores]:
    """The step scores of (problem, solution) pairs; equal pairs are read once. Raises EngineError."""
    keys = {pair: str(index) for index, pair in enumerate(dict.fromkeys(pairs))}
    requests = [ScoreRequest(key=key, problem=problem, solution=text) for (problem, text), key in keys.items()]
    found = dict(_drained(scorer, requests, "scoring"))
    return [found[keys[pair]] for pair in pairs]


def _drained(core: Any, requests: Iterable[Any], name: str) -> Iterator[tuple[str, Any]]:
    """Adds all requests and steps until every one came back; a call that failed raises its error."""
    total = 0
    for request in requests:
        core.add(request)
        total += 1
    done = 0
    while core.pending:
        for result in core.step():
            if not isinstance(result, Completion | StepScores):
                raise EngineError(f"{name} failed: {result.message}", retryable=False)
            done += 1
            if done % 2000 == 0 or done == total:
                say(f"{name}: {done}/{total}")
            yield result.key, result
