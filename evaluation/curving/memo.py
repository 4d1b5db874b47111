"""Policy and verifier that are asked the same thing once.

Law: a call that is repeated (by another method, another budget, another arm) gets the same result and is charged the
same cost as the first one; only the time is saved. A failure is not remembered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from domain.ports import Completion, ModelInfo, Policy, SampleRequest, ScoreRequest, StepScores, Verifier
from evaluation.curving.pools import Block, Sampling, requests


class _Memo:
    """Results by problem, so that those of a problem that is done can be forgotten."""

    def __init__(self) -> None:
        self._known: dict[str, dict[Hashable, asyncio.Future[Any]]] = {}

    async def get(self, problem: str, key: Hashable, ask: Callable[[], Awaitable[Any]]) -> Any:
        known = self._known.setdefault(problem, {})
        found = known.get(key)
        if found is None:
            found = known[key] = asyncio.ensure_future(ask())
        try:
            return await asyncio.shield(found)
        except Exception:
            known.pop(key, None)
            raise

    def put(self, problem: str, key: Hashable, value: Any) -> None:
        future = asyncio.get_running_loop().create_future()
        future.set_result(value)
        self._known.setdefault(problem, {})[key] = future

    def forget(self, problem: str) -> None:
        self._known.pop(problem, None)


class MemoPolicy:
    """Implements `domain.ports.Policy`."""

    def __init__(self, inner: Policy) -> None:
        self._inner, self._memo = inner, _Memo()

    @property
    def info(self) -> ModelInfo:
        return self._inner.info

    async def sample(self, request: SampleRequest) -> Completion:
        found: Completion = await self._memo.get(request.problem, _asked(request), lambda: self._inner.sample(request))
        return replace(found, key=request.key)

    def abort(self, keys: Iterable[str]) -> None:
        self._inner.abort(keys)

    def remember(self, text: str, block: Block, how: Sampling) -> None:
        last = block.first + len(block.samples) - 1
        asked = requests(text, block.problem, block.seed, block.first, last, how)
        for request, completion in zip(asked, block.samples, strict=True):
            self._memo.put(text, _asked(request), completion)

    def forget(self, text: str) -> None:
        self._memo.forget(text)


class MemoVerifier:
    """Implements `domain.ports.Verifier`."""

    def __init__(self, inner: Verifier) -> None:
        self._inner, self._memo = inner, _Memo()

    @property
    def info(self) -> ModelInfo:
        return self._inner.info

    async def score(self, request: ScoreRequest) -> StepScores:
        found: StepScores = await self._memo.get(request.problem, request.solution, lambda: self._inner.score(request))
        return replace(found, key=request.key)

    def abort(self, keys: Iterable[str]) -> None:
        self._inner.abort(keys)

    def remember(self, text: str, known: Mapping[str, StepScores]) -> None:
        for solution, scores in known.items():
            self._memo.put(text, solution, scores)

    def forget(self, text: str) -> None:
        self._memo.forget(text)


def _asked(request: SampleRequest) -> Hashable:
    """All that a sample depends on; greedy decoding knows no seed."""
    seed = request.seed if request.temperature > 0 else 0
    return request.prefix, request.attempts, seed, request.max_tokens, request.stop, request.temperature, request.top_p
