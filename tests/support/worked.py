"""A policy that tells the worked solution or one with a planted error, and a verifier that sees errors more often than
not: exact text for the exact checkers, without a model."""

from __future__ import annotations

import json
import re
from pathlib import Path

from domain.budget import Spend
from domain.moves import STEP_SEPARATOR, FinishReason, split_steps
from domain.ports import Completion, ModelInfo, SampleRequest, ScoreRequest, StepScores
from inference.answers.extract import extract_answer
from inference.engines.script import chance

INFO = ModelInfo("worked", 1000, 4096)


def worked_solutions(path: Path) -> dict[str, str]:
    """By problem."""
    return {line["problem"]: line["solution"] for line in map(json.loads, path.read_text().splitlines())}


def spoilt(solution: str) -> str:
    """The last number of each of the last two steps is one more than it should be."""
    steps = list(split_steps(solution))
    for at in range(max(0, len(steps) - 2), len(steps)):
        steps[at] = re.sub(r"(\d+)(\D*)$", lambda found: f"{int(found[1]) + 1}{found[2]}", steps[at])
    return STEP_SEPARATOR.join(steps)


class WorkedPolicy:
    """Implements `inference.engines.base.Engine`."""

    info = INFO

    def __init__(self, solutions: dict[str, str], accuracy: float) -> None:
        self._solutions, self._accuracy = solutions, accuracy
        self._waiting: list[SampleRequest] = []

    @property
    def pending(self) -> int:
        return len(self._waiting)

    def add(self, request: SampleRequest) -> None:
        self._waiting.append(request)

    def step(self) -> list[Completion]:
        waiting, self._waiting = self._waiting, []
        return [self._completion(request) for request in waiting]

    def _completion(self, request: SampleRequest) -> Completion:
        solution = self._solutions[request.problem]
        # Some problems are easier than others.
        right = chance("right", request.seed) < self._accuracy * 2 * chance("ease", request.problem)
        text = solution if right else spoilt(solution)
        if chance("cut", request.seed) < 0.1:
            return Completion(request.key, text[:20], FinishReason.LENGTH, None, -9.0, Spend(generated_tokens=20))
        cost = Spend(generated_tokens=len(text))
        return Completion(request.key, text, FinishReason.END, extract_answer(text), -2.0, cost)


class WorkedVerifier:
    """Implements `inference.engines.base.Scorer`: rises to 0.9 on a worked solution and falls to 0.1 on another, or the
    other way round where it errs."""

    info = INFO

    def __init__(self, solutions: dict[str, str], error: float) -> None:
        self._solutions, self._error = solutions, error
        self._waiting: list[ScoreRequest] = []

    @property
    def pending(self) -> int:
        return len(self._waiting)

    def add(self, request: ScoreRequest) -> None:
        self._waiting.append(request)

    def step(self) -> list[StepScores]:
        waiting, self._waiting = self._waiting, []
        return [StepScores(one.key, self._scores(one), Spend()) for one in waiting]

    def _scores(self, request: ScoreRequest) -> tuple[float, ...]:
        worked = split_steps(self._solutions[request.problem])
        errs = chance("errs", self._error, request.problem, request.solution) < self._error
        right = [step in worked for step in split_steps(request.solution)]
        return tuple(0.9 if is_right != errs else 0.1 for is_right in right)
