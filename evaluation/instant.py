"""Engines that answer at once and cost next to nothing: what is left of a search's CPU time is its orchestration.

Law: everything they say is a function of the call's seed, so that a search on them can be repeated exactly.
"""

from __future__ import annotations

from collections.abc import Iterable

from domain.budget import Spend
from domain.moves import STEP_SEPARATOR, Answer, FinishReason, split_steps
from domain.ports import Completion, ModelInfo, SampleRequest, ScoreRequest, StepScores

STEPS = 5
"""Steps of a solution; with the answer's sentence they have the length of the test problems' own solutions."""
ANSWERS = 7
THINKING = "</think>"


class InstantPolicy:
    """Implements `domain.ports.Policy`: solutions of five steps with one of seven answers, chunks of thinking."""

    info = ModelInfo("instant-policy", 1_000_000, 1 << 20)

    async def sample(self, request: SampleRequest) -> Completion:
        if THINKING in request.stop:
            return _completion(request, _step(request.seed, 0), FinishReason.LENGTH, None, request.max_tokens)
        done = min(len(split_steps(request.prefix)), STEPS - 1)
        value = str(request.seed % ANSWERS)
        steps = [_step(request.seed, at) for at in range(done, STEPS - 1)]
        steps.append(f"The answer is $\\boxed{{{value}}}$.")
        if STEP_SEPARATOR in request.stop and len(steps) > 1:
            return _completion(request, steps[0], FinishReason.STOP, None, 12)
        return _completion(
            request, STEP_SEPARATOR.join(steps), FinishReason.END, Answer(value, f"q:{value}"), 12 * len(steps)
        )

    def abort(self, keys: Iterable[str]) -> None: ...


class InstantVerifier:
    """Implements `domain.ports.Verifier`: a score for each step."""

    info = ModelInfo("instant-verifier", 1_000_000, 1 << 20)

    async def score(self, request: ScoreRequest) -> StepScores:
        steps = split_steps(request.solution)
        scores = tuple((request.seed >> at) % 9973 / 9973 for at in range(len(steps)))
        tokens = 40 + 12 * len(steps)
        return StepScores(request.key, scores, Spend(verified_tokens=tokens, flops=2e6 * tokens, verifier_calls=1))

    def abort(self, keys: Iterable[str]) -> None: ...


def _step(seed: int, at: int) -> str:
    first, second = (seed >> at) % 97, (seed >> (at + 7)) % 89
    return f"So ${first} \\cdot {second} = {first * second}$, and we go on."


def _completion(
    request: SampleRequest, text: str, finish: FinishReason, answer: Answer | None, tokens: int
) -> Completion:
    cost = Spend(prompt_tokens=40, generated_tokens=tokens, flops=2e6 * (40 + tokens), rollouts=1)
    logprob = -tokens * (0.1 + request.seed % 991 / 9910)
    return Completion(request.key, text, finish, answer, logprob, cost)
