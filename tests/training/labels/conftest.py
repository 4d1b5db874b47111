"""A policy that says what it is told, and problems for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pytest

from domain.budget import Spend
from domain.moves import FinishReason
from domain.ports import Completion, ModelInfo, SampleRequest
from inference.answers.extract import extract_answer
from training.labels.calls import Model
from training.problems.files import ProblemRecord

Script = Callable[[SampleRequest, int], tuple[str, FinishReason]]
"""What follows a request's prefix, by the number of the sample or rollout."""


class ToldEngine:
    info = ModelInfo("told", 1, 1000)

    def __init__(self, script: Script) -> None:
        self._script = script
        self._waiting: list[SampleRequest] = []
        self.asked: list[SampleRequest] = []

    @property
    def pending(self) -> int:
        return len(self._waiting)

    @property
    def due_s(self) -> float:
        return 0.0

    def add(self, request: SampleRequest) -> None:
        self._waiting.append(request)
        self.asked.append(request)

    def step(self) -> Sequence[Completion]:
        return [self._answer(self._waiting.pop())]  # the last first: order must not matter

    def reset(self) -> None:
        self._waiting.clear()

    def abort(self, keys: Iterable[str]) -> None:
        raise NotImplementedError

    def _answer(self, request: SampleRequest) -> Completion:
        text, finish = self._script(request, int(request.key.split("/")[-1]))
        answer = extract_answer(request.prefix + text) if finish is FinishReason.END else None
        return Completion(request.key, text, finish, answer, -1.0, Spend(prompt_tokens=3, generated_tokens=len(text)))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[[Script], ToldEngine]:
    """Makes every policy say what the script says."""

    def tell(script: Script) -> ToldEngine:
        engine = ToldEngine(script)
        monkeypatch.setattr(Model, "load", lambda model: engine)
        return engine

    return tell


@pytest.fixture
def problems() -> list[ProblemRecord]:
    """Arithmetic, which the scripted models can solve."""
    return [
        ProblemRecord(at, f"p{at}", f"Compute {at} + 3 * {at + 4} - 2.", str(at + 3 * (at + 4) - 2), "arithmetic", 1)
        for at in range(1, 13)
    ]
