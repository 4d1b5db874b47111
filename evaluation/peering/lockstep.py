"""Calls that run side by side, as in one batch of an engine: after t tokens, each of them has t tokens.

Law: calls end in the order of their lengths, whatever the machine does, so that a search which decides while calls are
under way decides the same in each run; a call that is aborted has used as many tokens as those that ended before it.
The results are fetched beforehand, and what is aborted is charged for its part only. Scoring takes one tick.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from domain.budget import Spend
from domain.errors import EngineError
from domain.ports import AnswerEquivalence, Completion, ModelInfo, SampleRequest, ScoreRequest, StepScores
from evaluation.peering.counting import CountingPolicy, CountingVerifier

TURNS = 20
"""Turns of the event loop in which a caller can act on a call that has ended, before the next one ends."""
T = TypeVar("T")


@dataclass
class Batch:
    """The clock of one search's calls, in tokens."""

    now: int = 0
    _busy: int = 0
    _waiting: list[tuple[int, int, asyncio.Future[None]]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _clock: asyncio.Task[None] | None = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The clock stands while something takes real time."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self._run_clock()

    async def fetched(self, call: Awaitable[T]) -> T | EngineError:
        """A failure ends like any other call: when its time has come."""
        with self.stopped():
            try:
                return await call
            except EngineError as error:
                return error

    async def until(self, due: int) -> None:
        ended = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (due, next(self._order), ended))
        self._run_clock()
        await ended

    def _run_clock(self) -> None:
        if not self._busy and self._waiting and (self._clock is None or self._clock.done()):
            self._clock = asyncio.get_running_loop().create_task(self._tick())

    async def _tick(self) -> None:
        """Ends calls one by one; rests while the clock stands."""
        while True:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if self._busy or not self._waiting:
                return
            due, _, ended = heapq.heappop(self._waiting)
            if not ended.done():
                self.now = max(self.now, due)
                ended.set_result(None)


class SteppedPolicy:
    """Implements `domain.ports.Policy`. Cancelling the awaiting task aborts the call."""

    def __init__(self, policy: CountingPolicy, batch: Batch) -> None:
        self._policy, self._batch = policy, batch

    @property
    def info(self) -> ModelInfo:
        return self._policy.info

    async def sample(self, request: SampleRequest) -> Completion:
        began = self._batch.now
        done = await self._batch.fetched(self._policy.uncharged(request))
        if isinstance(done, EngineError):
            await self._batch.until(began)
            raise done
        try:
            await self._batch.until(began + done.cost.generated_tokens)
        except asyncio.CancelledError:
            self._policy.charge_part(request, _part(done.cost, self._batch.now - began), done.ends)
            raise
        self._policy.charge(request, done)
        return done

    def abort(self, keys: Iterable[str]) -> None: ...


class SteppedVerifier:
    """Implements `domain.ports.Verifier`."""

    def __init__(self, verifier: CountingVerifier, batch: Batch) -> None:
        self._verifier, self._batch = verifier, batch

    @property
    def info(self) -> ModelInfo:
        return self._verifier.info

    async def score(self, request: ScoreRequest) -> StepScores:
        began = self._batch.now
        done = await self._batch.fetched(self._verifier.score(request))
        await self._batch.until(began + 1)
        if isinstance(done, EngineError):
            raise done
        return done

    def abort(self, keys: Iterable[str]) -> None: ...


class SteppedEquivalence:
    """Implements `domain.ports.AnswerEquivalence`: comparing answers takes no tokens."""

    def __init__(self, equivalence: AnswerEquivalence, batch: Batch) -> None:
        self._equivalence, self._batch = equivalence, batch

    async def equivalent(self, key: str, others: Sequence[str]) -> tuple[str, ...]:
        with self._batch.stopped():
            return await self._equivalence.equivalent(key, others)


def _part(cost: Spend, tokens: int) -> Spend:
    """Of a call that was aborted after so many tokens."""
    drawn = min(max(tokens, 0), cost.generated_tokens)
    whole = cost.prompt_tokens + cost.generated_tokens
    flops = cost.flops * (cost.prompt_tokens + drawn) / whole if whole else 0.0
    return Spend(cost.prompt_tokens, drawn, 0, flops, cost.rollouts)
