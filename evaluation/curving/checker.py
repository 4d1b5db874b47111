"""The exact checker in a verifier's place: 1 for each step up to the first error, 0 from there on.

Law: it is charged what the verifier that it stands for is charged for the same text, so that two arms of one method
differ in what they are told and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

from domain.budget import Spend
from domain.moves import split_steps
from domain.ports import ModelInfo, ScoreRequest, StepScores
from evaluation.quality.exact import first_error

Reading = Callable[[str, str], tuple[int, tuple[int, ...]]]
"""Tokens that the verifier reads of a problem and a solution, and its `domain.ports.StepScores.ends`."""


@lru_cache(maxsize=200_000)
def exact_scores(problem: str, solution: str) -> tuple[float, ...]:
    """Raises ConfigurationError for a problem that has no exact checker."""
    error, steps = first_error(problem, solution), len(split_steps(solution))
    sound = steps if error is None else error
    return tuple(float(at < sound) for at in range(steps))


class ExactVerifier:
    """Implements `domain.ports.Verifier`."""

    def __init__(self, stands_for: ModelInfo, reading: Reading) -> None:
        self._info, self._reading = stands_for, reading

    @property
    def info(self) -> ModelInfo:
        return self._info

    async def score(self, request: ScoreRequest) -> StepScores:
        tokens, ends = self._reading(request.problem, request.solution)
        cost = Spend(verified_tokens=tokens, flops=2.0 * self._info.parameters * tokens, verifier_calls=1)
        return StepScores(request.key, exact_scores(request.problem, request.solution), cost, ends)

    def abort(self, keys: Iterable[str]) -> None: ...


def reading_of(spec: str, keeps: bool) -> Reading:
    """As the verifier of this spec reads, by its own tokenizer; `keeps`: it goes on from what it has read before."""
    if spec.startswith(("scripted", "recorded:")):
        return lambda problem, solution: (len(problem + solution) // 4 + 1, ())
    from transformers import AutoTokenizer

    from inference.steps import encode_solution_for_scoring

    tokenizer = AutoTokenizer.from_pretrained(spec, trust_remote_code=False)

    def read(problem: str, solution: str) -> tuple[int, tuple[int, ...]]:
        encoded = encode_solution_for_scoring(tokenizer, problem, split_steps(solution))
        return len(encoded.ids), encoded.ends if keeps else ()

    return read
