"""One call with our own retries, inside its reservation.

A call may fail after it ran: what a failed attempt used is charged, and the reservation grows by it before the next
attempt starts, so that retries never push a job over its budget. Nothing starts once the search has stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace

from domain.budget import NO_COST, Spend
from domain.errors import EngineError
from domain.moves import Failed, FailureKind, Move, Outcome
from orchestrator.engines import Engines
from orchestrator.known import Known
from orchestrator.ledger import Ledger

BACKOFF_S = (0.2, 1.0, 5.0)
"""Pauses between the attempts of one call; after the last one it has failed."""
STOPPED = "the search had stopped"


@dataclass(frozen=True, slots=True)
class Call:
    """A move on its way, with the upper bound that the ledger holds for it."""

    move: Move
    key: str
    estimate: Spend
    max_tokens: int
    """What the ledger granted."""


class Attempts:
    """Runs the calls of one search. `stopping` is set when the search has stopped."""

    def __init__(self, problem: str, engines: Engines, ledger: Ledger) -> None:
        self._problem, self._engines, self._ledger = problem, engines, ledger
        self.known = Known()
        self.stopping = asyncio.Event()

    async def run(self, call: Call) -> Outcome:
        """The outcome of a move; a dead engine is an outcome too."""
        failure = Failed(call.move.id, FailureKind.ABORTED, STOPPED)
        for pause_s in (0.0, *BACKOFF_S):
            if await self._stopped_within(pause_s) or not self._ledger.covers(call.key, failure.cost):
                break
            try:
                outcome = await self._engines.attempt(call.move, call.key, self._problem, call.max_tokens, self.known)
            except EngineError as error:
                failure = self._failure(call, error, failure.cost)
                if not error.retryable:
                    break
            else:
                return replace(outcome, cost=outcome.cost + failure.cost) if failure.cost != NO_COST else outcome
        return failure

    async def _stopped_within(self, pause_s: float) -> bool:
        if pause_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self.stopping.wait()
        return self.stopping.is_set()

    def _failure(self, call: Call, error: EngineError, wasted: Spend) -> Failed:
        kind = FailureKind.ENGINE if error.retryable else FailureKind.INVALID
        cost = self.known.failed(call.move, error.cost or NO_COST, error.ends)
        return Failed(call.move.id, kind, error.message, wasted + cost)
