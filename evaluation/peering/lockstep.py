"""Calls that run side by side, as in one batch of an engine: after t tokens, each of them has t tokens.

So calls end in the order of their lengths, whatever the machine does, and a call that is aborted has used as many
tokens as those that ended before it. It needs the results beforehand; what is aborted is charged for its part only.
"""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field
from itertools import count

from domain.budget import Spend
from domain.ports import Completion, SampleRequest
from evaluation.peering.counting import CountingPolicy

TURNS = 20
"""Turns of the event loop in which a caller can act on a call that has ended, before the next one ends."""


@dataclass
class Lockstep:
    """The batch of one search."""

    policy: CountingPolicy
    _now: int = 0
    _fetching: int = 0
    _waiting: list[tuple[int, int, asyncio.Future[None]]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _clock: asyncio.Task[None] | None = None

    async def sample(self, request: SampleRequest) -> Completion:
        """Raises EngineError. Cancelling the awaiting task aborts the call."""
        began = self._now
        done = await self._fetched(request)
        ended = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (began + done.cost.generated_tokens, next(self._order), ended))
        self._run_clock()
        try:
            await ended
        except asyncio.CancelledError:
            self.policy.charge(_part(done.cost, self._now - began))
            raise
        self.policy.charge(done.cost)
        return done

    async def _fetched(self, request: SampleRequest) -> Completion:
        self._fetching += 1
        try:
            return await self.policy.uncharged(request)
        finally:
            self._fetching -= 1
            self._run_clock()

    def _run_clock(self) -> None:
        if not self._fetching and self._waiting and (self._clock is None or self._clock.done()):
            self._clock = asyncio.get_running_loop().create_task(self._tick())

    async def _tick(self) -> None:
        """Ends calls one by one; rests while the result of a new one is still to come."""
        while True:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if self._fetching or not self._waiting:
                return
            due, _, ended = heapq.heappop(self._waiting)
            if not ended.done():
                self._now = max(self._now, due)
                ended.set_result(None)


def _part(cost: Spend, tokens: int) -> Spend:
    """Of a call that was aborted after so many tokens."""
    drawn = min(max(tokens, 0), cost.generated_tokens)
    whole = cost.prompt_tokens + cost.generated_tokens
    flops = cost.flops * (cost.prompt_tokens + drawn) / whole if whole else 0.0
    return Spend(cost.prompt_tokens, drawn, 0, flops, cost.rollouts)
