"""The policy and verifier ports on engines that answer at once: no thread, so that a replay repeats exactly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from domain.ports import Completion, ModelInfo, SampleRequest, ScoreRequest, StepScores
from inference.engines.base import CallFailure, Engine, Scorer


class DirectPolicy:
    """Implements `domain.ports.Policy`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def info(self) -> ModelInfo:
        return self._engine.info

    async def sample(self, request: SampleRequest) -> Completion:
        return cast(Completion, _answer(self._engine, request))

    def abort(self, keys: Iterable[str]) -> None: ...


class DirectVerifier:
    """Implements `domain.ports.Verifier`."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    @property
    def info(self) -> ModelInfo:
        return self._scorer.info

    async def score(self, request: ScoreRequest) -> StepScores:
        return cast(StepScores, _answer(self._scorer, request))

    def abort(self, keys: Iterable[str]) -> None: ...


def _answer(engine: Any, request: SampleRequest | ScoreRequest) -> Any:
    """Raises EngineError."""
    engine.add(request)
    (result,) = engine.step()
    if isinstance(result, CallFailure):
        raise result.error()
    return result
