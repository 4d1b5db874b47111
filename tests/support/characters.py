"""A policy and a verifier whose tokens are characters, with the `ends` of engines that keep what they read.

A solution has three steps, each one of a few by the call's seed, and no two calls take equally long.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from domain.budget import Spend
from domain.moves import STEP_SEPARATOR, Answer, FinishReason, split_steps, step_ends
from domain.ports import Completion, ModelInfo, SampleRequest, ScoreRequest, StepScores

STEPS = 3
PARAMETERS = 10


@dataclass
class CharacterPolicy:
    order: int
    """Another order of arrival for each."""
    calls: list[tuple[SampleRequest, str]] = field(default_factory=list)
    """What was asked and the text that was given."""
    info: ModelInfo = ModelInfo("characters", PARAMETERS, 1 << 20)

    async def sample(self, request: SampleRequest) -> Completion:
        await asyncio.sleep(random.Random(f"{self.order}/{request.seed}").random() / 500)
        steps = [_step(request.seed, at) for at in range(len(split_steps(request.prefix)), STEPS)] or ["So."]
        whole = STEP_SEPARATOR.join(steps)
        cut = whole.find(request.stop[0]) if request.stop else -1
        text, finish = (whole, FinishReason.END) if cut < 0 else (whole[:cut], FinishReason.STOP)
        self.calls.append((request, text))
        before = len(prompt_of(request))
        prompt, written = before + len(request.prefix), len(text) + (len(request.stop[0]) if cut >= 0 else 1)
        cost = Spend(prompt, written, 0, 2.0 * PARAMETERS * (prompt + written), 1)
        ends = (before, *(before + end for end in step_ends(request.prefix)))
        answer = Answer(text[-1], text[-1]) if finish is FinishReason.END else None
        return Completion(request.key, text, finish, answer, -1.0, cost, ends)

    def abort(self, keys: Iterable[str]) -> None: ...


@dataclass
class CharacterVerifier:
    order: int
    calls: list[ScoreRequest] = field(default_factory=list)
    info: ModelInfo = ModelInfo("reader", PARAMETERS, 1 << 20)

    async def score(self, request: ScoreRequest) -> StepScores:
        await asyncio.sleep(random.Random(f"{self.order}/{request.solution}").random() / 500)
        self.calls.append(request)
        ends = [len(request.problem)]
        for step in split_steps(request.solution):
            ends.append(ends[-1] + len(step) + 1)
        scores = tuple(random.Random(step).random() for step in split_steps(request.solution))
        return StepScores(request.key, scores, Spend(0, 0, ends[-1], 2.0 * PARAMETERS * ends[-1], 0, 1), tuple(ends))

    def abort(self, keys: Iterable[str]) -> None: ...


def prompt_of(request: SampleRequest) -> str:
    return "|".join([request.problem, *request.attempts])


def _step(seed: int, at: int) -> str:
    draw = random.Random(f"{seed}/{at}")
    return f"Step {at} gives {draw.randrange(3)}"
