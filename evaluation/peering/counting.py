"""The engine that ours and the peers' searches share: it answers each call once, and counts each call that is made.

Law: equal calls (problem, beginning, attempts, seed, limits) have equal results, so that they are computed once; each
search that asks pays for all that it asks for, and once for each beginning that its own calls share. A bill holds what
one search asked for: calls, tokens, FLOPs, and calls that go on after a solution had ended, which buy nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from domain.budget import NO_COST, Spend
from domain.errors import EngineError
from domain.moves import STEP_SEPARATOR, FinishReason
from domain.ports import Completion, ModelInfo, Policy, SampleRequest, ScoreRequest, StepScores, Verifier
from orchestrator.known import Known


@dataclass
class Bill:
    """What one search used."""

    spend: Spend = NO_COST
    calls: int = 0
    """Policy calls that were issued, also those that were aborted or failed."""
    verifier_calls: int = 0
    after_end: int = 0
    """Policy calls to continue a solution whose end-of-sequence the policy had given."""
    failed: int = 0
    """Calls that gave nothing, such as one with a prompt that is longer than the context."""
    _known: Known = field(default_factory=Known)
    """Each shared beginning is charged once, as the service does it."""
    _ended: set[str] = field(default_factory=set)
    _open: set[str] = field(default_factory=set)
    """Texts that a policy call has ended with an end-of-sequence, or at a stop string."""

    def issued(self, request: SampleRequest) -> None:
        self.calls += 1
        beginning = request.prefix
        self.after_end += any(beginning.startswith(text + STEP_SEPARATOR) for text in self._ended - self._open)

    def came_back(self, request: SampleRequest, done: Completion) -> None:
        ended = done.finish is FinishReason.END
        (self._ended if ended else self._open).add(request.prefix + done.text)

    def charge(self, request: SampleRequest, done: Completion) -> None:
        cost = self._known.sample(request, done.text, done.finish, done.cost, done.ends)
        self.spend = self.spend + cost

    def charge_part(self, request: SampleRequest, cost: Spend, ends: tuple[int, ...]) -> None:
        """A call that gave no text, or was aborted after `cost`."""
        self.spend = self.spend + self._known.sample(request, "", None, cost, ends)

    def charge_reading(self, request: ScoreRequest, cost: Spend, ends: tuple[int, ...]) -> None:
        self.spend = self.spend + self._known.score(request.solution, cost, ends)


class Shared:
    """The results of one policy and one verifier, each computed once, for one event loop."""

    def __init__(self, policy: Policy, verifier: Verifier) -> None:
        self.policy, self.verifier = policy, verifier
        self._tasks: dict[Any, asyncio.Task[Any]] = {}
        self._of_problem: dict[str, set[Any]] = {}
        self._number = 0

    async def sample(self, request: SampleRequest) -> Completion:
        """Raises EngineError."""
        done: Completion = await self._once(replace(request, key=""), self.policy.sample)
        return replace(done, key=request.key)

    async def score(self, request: ScoreRequest) -> StepScores:
        """Raises EngineError. A verifier that only reads has no use for the seed."""
        done: StepScores = await self._once(replace(request, key="", seed=0), self.verifier.score)
        return replace(done, key=request.key)

    def forget(self, problem: str) -> None:
        """Drop a problem's results: nobody asks for them any more."""
        for request in self._of_problem.pop(problem, ()):
            self._tasks.pop(request, None)

    async def _once(self, request: Any, call: Callable[[Any], Awaitable[Any]]) -> Any:
        task = self._tasks.get(request)
        if task is None:
            self._number += 1
            keyed = replace(request, key=f"shared-{self._number}")
            task = self._tasks[request] = asyncio.ensure_future(_awaited(call(keyed)))
            self._of_problem.setdefault(request.problem, set()).add(request)
        # A caller that is cancelled takes nobody else's result with it.
        return await asyncio.shield(task)


async def _awaited(call: Awaitable[Any]) -> Any:
    return await call


class CountingPolicy:
    """Implements `domain.ports.Policy` for one search."""

    def __init__(self, shared: Shared, bill: Bill) -> None:
        self._shared, self._bill = shared, bill

    @property
    def info(self) -> ModelInfo:
        return self._shared.policy.info

    async def sample(self, request: SampleRequest) -> Completion:
        done = await self.uncharged(request)
        self.charge(request, done)
        return done

    async def uncharged(self, request: SampleRequest) -> Completion:
        """The result, counted as a call; the caller charges what of it was used."""
        self._bill.issued(request)
        try:
            done = await self._shared.sample(request)
        except EngineError as error:
            self._bill.failed += 1
            self._bill.charge_part(request, error.cost or NO_COST, error.ends)
            raise
        self._bill.came_back(request, done)
        return done

    def charge(self, request: SampleRequest, done: Completion) -> None:
        self._bill.charge(request, done)

    def charge_part(self, request: SampleRequest, cost: Spend, ends: tuple[int, ...]) -> None:
        self._bill.charge_part(request, cost, ends)

    def abort(self, keys: Iterable[str]) -> None: ...


class CountingVerifier:
    """Implements `domain.ports.Verifier` for one search."""

    def __init__(self, shared: Shared, bill: Bill) -> None:
        self._shared, self._bill = shared, bill

    @property
    def info(self) -> ModelInfo:
        return self._shared.verifier.info

    async def score(self, request: ScoreRequest) -> StepScores:
        self._bill.verifier_calls += 1
        try:
            done = await self._shared.score(request)
        except EngineError as error:
            self._bill.failed += 1
            self._bill.charge_reading(request, error.cost or NO_COST, error.ends)
            raise
        self._bill.charge_reading(request, done.cost, done.ends)
        return done

    def abort(self, keys: Iterable[str]) -> None: ...
