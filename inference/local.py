"""The policy and the verifier ports in this very process: for `deliberate solve`, evaluation and tests.

Law: cancelling the task that awaits a call aborts the call in the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, cast

from domain.ports import Completion, ModelInfo, SampleRequest, ScoreRequest, StepScores
from inference.engines.base import CallFailure, Engine, Request, Result, Scorer
from inference.host import EngineHost


class _Calls:
    """The calls of one event loop to one host."""

    def __init__(self, host: EngineHost) -> None:
        self._host = host

    async def run(self, request: Request) -> Any:
        """The call's result. Raises EngineError."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()

        def on_done(results: Sequence[Result]) -> None:
            loop.call_soon_threadsafe(_settle, future, results[0])

        self._host.submit([request], on_done)
        try:
            result = await future
        except asyncio.CancelledError:
            self._host.abort([request.key], on_done)
            raise
        if isinstance(result, CallFailure):
            raise result.error()
        return result


def _settle(future: asyncio.Future[Result], result: Result) -> None:
    if not future.done():
        future.set_result(result)


class LocalPolicy:
    """Implements `domain.ports.Policy` on an engine of this process."""

    def __init__(self, engine: Engine) -> None:
        self._host = EngineHost(engine, "policy")
        self._calls = _Calls(self._host)

    @classmethod
    def open(cls, spec: str, *, threads: int = 1, device: str = "auto") -> LocalPolicy:
        """Raises ConfigurationError."""
        from inference.engines.factory import load_policy

        return cls(load_policy(spec, threads=threads, device=device))

    @property
    def info(self) -> ModelInfo:
        return self._host.info

    async def sample(self, request: SampleRequest) -> Completion:
        return cast(Completion, await self._calls.run(request))

    def abort(self, keys: Iterable[str]) -> None:
        self._host.abort(keys)

    def close(self) -> None:
        self._host.close()


class LocalVerifier:
    """Implements `domain.ports.Verifier` on a verifier of this process."""

    def __init__(self, scorer: Scorer) -> None:
        self._host = EngineHost(scorer, "verifier")
        self._calls = _Calls(self._host)

    @classmethod
    def open(cls, spec: str, *, threads: int = 1, device: str = "auto") -> LocalVerifier:
        """Raises ConfigurationError."""
        from inference.verifiers.factory import load_verifier

        return cls(load_verifier(spec, threads=threads, device=device))

    @property
    def info(self) -> ModelInfo:
        return self._host.info

    async def score(self, request: ScoreRequest) -> StepScores:
        return cast(StepScores, await self._calls.run(request))

    def abort(self, keys: Iterable[str]) -> None:
        self._host.abort(keys)

    def close(self) -> None:
        self._host.close()
