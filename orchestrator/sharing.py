"""Search steps shared fairly: calls of all searches wait in one fair queue, and few of them are in the engines at once.

Law: an engine has enough calls to fill its batch and a few to refill it, never more. What waits, waits here, where the
next call is chosen by tenant and priority; in an engine's own line whoever came first would be served first.

A call that is aborted or cancelled while it waits leaves the line and costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from domain.errors import EngineError
from domain.fairness import FairQueue
from domain.ids import TenantId
from domain.ports import (
    Claim,
    Completion,
    ModelInfo,
    Policy,
    SampleRequest,
    ScoreRequest,
    StepScores,
    Verifier,
)
from orchestrator.engines import Engines

PER_ENGINE = 96
"""Calls in one engine at once: a batch of 64 rows and half of another."""
ABORTED = "the call was aborted before it began"


@dataclass(frozen=True, slots=True)
class Share:
    """For whom a call is made."""

    tenant: TenantId
    weight: float
    priority: int


@dataclass(eq=False)
class _Turn:
    key: str
    begin: asyncio.Future[None]


class Gate:
    """The line before the engines of one kind. `capacity` says how many calls they take now."""

    def __init__(self, capacity: Callable[[], int]) -> None:
        self._capacity = capacity
        self._queue: FairQueue[_Turn] = FairQueue()
        self._waiting: dict[str, _Turn] = {}
        self._inside = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @contextlib.asynccontextmanager
    async def turn(self, key: str, share: Share, cost: float) -> AsyncIterator[None]:
        """Inside, the call may be in an engine. Raises EngineError when it is aborted before that."""
        await self._begun(key, share, cost)
        try:
            yield
        finally:
            self._inside -= 1
            self._let_in()

    def abort(self, keys: Iterable[str]) -> None:
        for key in keys:
            turn = self._waiting.pop(key, None)
            if turn is not None and not turn.begin.done():
                turn.begin.set_exception(EngineError(ABORTED, retryable=False))

    async def _begun(self, key: str, share: Share, cost: float) -> None:
        turn = _Turn(key, asyncio.get_running_loop().create_future())
        self._waiting[key] = turn
        self._queue.push(share.tenant, share.weight, share.priority, cost, turn)
        self._let_in()
        try:
            await turn.begin
        except asyncio.CancelledError:
            if turn.begin.done() and not turn.begin.cancelled() and turn.begin.exception() is None:
                # It was let in at this very moment.
                self._inside -= 1
                self._let_in()
            raise
        finally:
            if self._waiting.get(key) is turn:
                del self._waiting[key]

    def _let_in(self) -> None:
        room = self._capacity()
        while self._inside < room:
            turn = self._queue.pop(lambda turn: not turn.begin.done())
            if turn is None:
                return
            self._inside += 1
            turn.begin.set_result(None)


Engine = TypeVar("Engine", Policy, Verifier)


@dataclass(frozen=True)
class _Shared(Generic[Engine]):
    """An engine whose calls wait for their turn."""

    engine: Engine
    gate: Gate
    share: Share

    @property
    def info(self) -> ModelInfo:
        return self.engine.info

    def abort(self, keys: Iterable[str]) -> None:
        keys = list(keys)
        self.gate.abort(keys)
        self.engine.abort(keys)


class _SharedPolicy(_Shared[Policy]):
    async def sample(self, request: SampleRequest) -> Completion:
        async with self.gate.turn(request.key, self.share, request.max_tokens):
            return await self.engine.sample(request)


class _SharedVerifier(_Shared[Verifier]):
    async def score(self, request: ScoreRequest) -> StepScores:
        # What it costs is what it reads: characters are as good a measure as any, since shares are relative.
        async with self.gate.turn(request.key, self.share, len(request.problem) + len(request.solution)):
            return await self.engine.score(request)


class Sharing:
    """The engines of one process, shared by all its searches."""

    def __init__(
        self,
        engines: Engines,
        policies: Callable[[], int] = lambda: PER_ENGINE,
        verifiers: Callable[[], int] = lambda: PER_ENGINE,
    ) -> None:
        self._engines = engines
        self._policies, self._verifiers = Gate(policies), Gate(verifiers)

    @property
    def model(self) -> str:
        """Name of the policy."""
        return self._engines.policy.info.id

    def engines_for(self, claim: Claim) -> Engines:
        """As a search of this claim sees them: its calls go in its tenant's line."""
        share = Share(claim.tenant, claim.weight, claim.priority)
        verifier = self._engines.verifier
        return replace(
            self._engines,
            policy=_SharedPolicy(self._engines.policy, self._policies, share),
            verifier=None if verifier is None else _SharedVerifier(verifier, self._verifiers, share),
        )
